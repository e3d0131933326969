module slipway.invalid/stack/pack

go 1.24

require github.com/buildpacks/pack v0.36.4
