package servers

import "testing"

func TestMajorName(t *testing.T) {
	for version, want := range map[string]string{"9.4.4": "9.4", "9.6.24": "9.6", "10.23": "10", "18beta2": "18", "17.5": "17"} {
		major := 9
		if version[0] != '9' {
			major = 10*int(version[0]-'0') + int(version[1]-'0')
		}
		if got := (Install{Major: major, Version: version}).MajorName(); got != want {
			t.Errorf("%s is named %q", version, got)
		}
	}
}
