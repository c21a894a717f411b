runbook "r" {}

locals {
  a = file("secret.txt")
  b = env("HOME")
  c = uper("x")
  d = timestamp()
  e = [for h in ["a", "b"] : upper(h)]
  f = join(",")
  g = upper("a", "b")
  i = tonumber("x")
}

stage "one" {
  step "shell" "x" {
    run = templatefile("x.sh", {})
  }
}
