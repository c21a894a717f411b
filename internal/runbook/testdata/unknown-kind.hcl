runbook "r" {}

stage "one" {
  step "postgress_copy" "main" {
    from = var.nowhere
    to   = "x"
  }

  step "shel" "x" {
    run = "true"
  }

  step "kubernetes_apply" "y" {
  }
}
