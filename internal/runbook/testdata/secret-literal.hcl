runbook "r" {}

variable "token" {
  secret  = true
  default = "hunter2"
}

variable "plain" {}

variable "dsn" {
  default = "postgres://app:hunter2@db/app"
}

stage "one" {
  step "postgres_copy" "url" {
    from = "postgres://app:hunter2@db/app"
    to   = "postgres://app@db/app"
  }

  step "postgres_copy" "keyword" {
    from = "host=db password=hunter2 dbname=app"
    to   = "env:TO"
  }

  step "announce" "a" {
    webhook = "https://hooks.example.com/hunter2"
    text    = "hello"
  }

  step "announce" "b" {
    webhok = "hunter2"
    text   = "hello"
  }

  step "announce" "c" {
    webhook = var.plain
    text    = "hello"
  }

  step "announce" "d" {
    webhook = 42424242
    text    = "hello"
  }

  step "shell" "e" {
    run = "psql postgres://app:hunter2@db/app -f x.sql"
  }

  step "shell" "f" {
    run = "PGPASSWORD=hunter2 psql -f x.sql"
    env = { PGUSER = "app", PGPASSWORD = "hunter2" }
  }

  step "shell" "g" {
    run = <<-EOT
      export X=1
      psql postgres://app:hunter2@db/app
      echo password=hunter2
    EOT
    dir = 5 + "x" # password = "hunter2"
  }
}

drill "d" {
  variables = {
    token = "hunter2"
    dsn   = "postgres://app:hunter2@stand-in/app"
  }
}
