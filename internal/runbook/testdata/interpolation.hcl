runbook "r" {}
stage "one" {
  step "shell" "a" {
    run = "echo ${HOME} and ${x:-y}"
  }
  step "shell" "b" {
    run = "echo ${upper("x"}"
  }
}
