module slipway.invalid/stack/lifecycle

go 1.24.4

require github.com/buildpacks/lifecycle v0.20.11
