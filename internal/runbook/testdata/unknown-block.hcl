runbook "move" {
  titel = "Move"
  windoow {
    length = "4h"
  }
}

varible "db" {}

stage "one" {
  stp "shell" "a" { run = "true" }

  step "shell" "b" {
    run   = "true"
    wy    = "because"
    retri {
      attempts = 3
    }
  }

  step "shell" {
    run = "true"
  }

  step "shell" "c" {
    run   = "true"
    retry = 3
    after {
    }
  }

  checklist "list" {
    itm "x" { owner = "kim" }
  }

  gate "go" {
    ask     = "Go?"
    aproval = 2
  }
}

site "seoul" {
  adress = "10.0.0.1"
  aws {
    regoin = "ap-northeast-2"
  }
}

drill "d" {
  variable = {}
}
