# docker buildx bake --push --set service.tags=REGISTRY/payments:VERSION
# docker buildx bake sbom

group "default" {
  targets = ["service"]
}

target "service" {
  context   = "."
  target    = "service"
  platforms = ["linux/arm64", "linux/amd64"]
  attest    = ["type=sbom", "type=provenance,mode=max"]
}

target "sbom" {
  context = "."
  target  = "sbom"
  output  = ["type=local,dest=sbom"]
}
