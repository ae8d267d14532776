# From the root of the repository:
#   docker buildx bake -f services/payments/docker-bake.hcl --push --set service.tags=REGISTRY/payments:VERSION
#   docker buildx bake -f services/payments/docker-bake.hcl sbom

group "default" {
  targets = ["service"]
}

target "service" {
  context    = "."
  dockerfile = "services/payments/Dockerfile"
  target     = "service"
  platforms  = ["linux/arm64", "linux/amd64"]
  attest     = ["type=sbom", "type=provenance,mode=max"]
}

target "sbom" {
  context    = "."
  dockerfile = "services/payments/Dockerfile"
  target     = "sbom"
  output     = ["type=local,dest=sbom"]
}
