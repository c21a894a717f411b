# Secrets wherever they may stand, and steps that are careless with them.
runbook "secrets" {
  title = "Secrets wherever they may stand"
}

variable "token" { secret = true }
variable "key" { secret = true }
variable "hook" { secret = true }
variable "refusing" { secret = true }
variable "closed" { secret = true }
variable "server" {}

people {
  kim = "lead"
}

stage "say" {
  step "announce" "begin" {
    url  = var.hook
    text = "it begins"
  }
  step "announce" "refused" {
    url  = var.refusing
    text = "nobody hears it"
  }
  step "announce" "unheard" {
    url  = var.closed
    text = "nobody hears it"
  }
  step "probe_http" "front" {
    url    = "${var.server}/probe"
    header = { Authorization = var.token }
  }
  step "probe_http" "loop" {
    url           = "${var.server}/loop"
    header        = { Authorization = var.token }
    expect_status = 204
  }
  step "shell" "pieces" {
    run    = <<-EOT
      printf '%s' "$TOKEN" | head -c 5; sleep 0.05; printf '%s' "$TOKEN" | tail -c +6; echo
      printf '%s' "$TOKEN" | base64 -w0; echo
      printf '%s' "$TOKEN" | od -An -v -tx1 | tr -d ' \n'; echo
      echo "$KEY" | head -2 | tail -1 >&2
    EOT
    check  = "echo \"checked with $TOKEN\""
    verify = "echo \"verified with $TOKEN\""
    undo   = "echo \"undone with $TOKEN\""
    env    = { TOKEN = var.token, KEY = var.key }
  }
  step "shell" "environment" {
    run = "env"
  }
  step "shell" "again" {
    run = "printf '%s' \"$SAID\" > said"
    env = { SAID = step.shell.pieces.output_tail }
  }
  step "shell" "fails" {
    run  = "test -e good || { printf '%s' \"denied for $TOKEN\" >&2; exit 3; }"
    undo = "test -e back || { echo \"no way back for $TOKEN\" >&2; exit 4; }"
    env  = { TOKEN = var.token }
  }
  step "shell" "unproved" {
    run    = "true"
    verify = "echo \"not so: $TOKEN\"; test -e good"
    env    = { TOKEN = var.token }
  }
}
