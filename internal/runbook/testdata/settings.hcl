runbook "r" {}
people {
  kim = "a"
}
stage "one" {
  step "shell" "a" {
    run = 5
    on = site.x.y
    why = ["a"]
  }
  gate "g" {
    ask = "x"
    approvals = 5
    people = "kim"
    at = 5
  }
  gate "h" {
    ask = step.shell.a.stdout
  }
  checklist "c" {
    after = [gate.g]
    item "a" {
      owner = kim
      text  = 5
    }
  }
}
