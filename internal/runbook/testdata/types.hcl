runbook "r" {
  title = 5
}

variable "hosts" {
  type = list(string)
}

variable "labels" {
  type = map(string)
}

variable "fast" {
  type = bool
}

variable "wrong" {
  type = list
}

variable "odd" {
  type = "string"
}

variable "n" {
  type    = number
  default = "many"
}

stage "one" {
  step "postgres_copy" "a" {
    from = "env:FROM"
    to   = "env:TO"
    jobs = "many"
    skip = "orders"
    mode = "fsat"
  }

  step "postgres_copy" "b" {
    from = ["env:FROM"]
    to   = { host = "x" }
    jobs = 1.5
    skip = [1, [2]]
    mode = var.hosts
  }

  step "postgres_copy" "c" {
    from = null
    to   = "env:TO"
    jobs = var.fast
    skip = var.labels
  }

  step "shell" "d" {
    run        = true
    env        = "A=b"
    repeatable = "no"
    when       = 1
  }

  step "shell" "e" {
    run      = upper(var.hosts)
    for_each = 5
  }

  step "shell" "f" {
    run = "${var.hosts}"
    dir = 1 + "x"
  }
}
