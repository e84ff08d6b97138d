package lab

import "testing"

func TestEarlierVersion(t *testing.T) {
	for version, want := range map[string]string{"v0.6.0": "v0.5.0", "v0.5.0": "v0.4.0", "v0.4.5": "v0.4.0"} {
		if got, err := earlierVersion(version); err != nil || got != want {
			t.Errorf("the version before %s is %q, %v; want %s", version, got, err, want)
		}
	}
	if got, err := earlierVersion("v0.4.0"); err == nil {
		t.Errorf("the version before v0.4.0 is %q, want an error", got)
	}
}
