# State in S3 with S3's own lock.
terraform {
  backend "s3" {
    bucket       = "rehearsal-state"
    key          = "rehearsal.tfstate"
    region       = "us-east-2"
    encrypt      = true
    use_lockfile = true
  }
}

resource "terraform_data" "something" { input = "first" }

output "something" { value = terraform_data.something.output }
