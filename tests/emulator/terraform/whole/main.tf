# All that the platform is made of, in one root module: Terraform and its providers start once for all of it, and what
# they wait for they wait for at once.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

locals {
  tags = { System = "payments", Environment = "rehearsal" }
}

variable "first" {
  description = "False for a second apply, which changes what can be changed in place."
  type        = bool
  default     = true
}

provider "aws" {
  region      = "us-east-2"
  max_retries = 2
  default_tags { tags = local.tags }
}

provider "aws" {
  alias       = "recovery"
  region      = "us-west-2"
  max_retries = 2
  default_tags { tags = local.tags }
}

provider "aws" {
  alias       = "global"
  region      = "us-east-1"
  max_retries = 2
  default_tags { tags = local.tags }
}

module "network" {
  source    = "./network"
  providers = { aws = aws, aws.recovery = aws.recovery }
}

module "storage" {
  source    = "./storage"
  providers = { aws = aws, aws.recovery = aws.recovery, aws.global = aws.global }
  first     = var.first
}

module "observability" {
  source = "./observability"
  first  = var.first
}

module "audit" {
  source    = "./audit"
  providers = { aws = aws, aws.recovery = aws.recovery }
  first     = var.first
}

module "services" {
  source    = "./services"
  providers = { aws = aws, aws.recovery = aws.recovery }
  first     = var.first
}

module "processing" {
  source = "./processing"
  first  = var.first
}

output "prepared" {
  value = module.processing.prepared
}
