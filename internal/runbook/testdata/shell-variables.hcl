runbook "r" {}
stage "one" {
  step "shell" "a" {
    run     = "echo ${HOME}"
    timeout = "0s"
    env     = { A: "1", "b c" = 2, C = [1] }
    retry { attempts = 2 }
    retry { attempts = 3 }
    after   = []
    when    = "true"
  }
  step "shell" "b" {
    run = "echo"
  }
}
