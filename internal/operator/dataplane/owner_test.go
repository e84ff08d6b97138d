package dataplane

import "testing"

// The author of a pod writes its labels and its owners, and they need not fit together.
func TestOwnersWhoseNamesDoNotFit(t *testing.T) {
	for _, name := range []string{"web-", "web"} {
		p := pod("web-a", "", "ReplicaSet", name)
		if got, want := WorkloadOf(&p).String(), "ReplicaSet shop/"+name; got != want {
			t.Errorf("without a hash, the workload is %s, want %s", got, want)
		}
	}
	for _, test := range []struct {
		config, controller string
		isVersion          bool
	}{
		{"web", "web-3", true},
		{"web", "web-31", true},
		{"web", "web-", false},
		{"web", "web-3a", false},
		{"web", "3", false},
		{"", "-3", false},
	} {
		if got := isVersionOf(test.config, test.controller); got != test.isVersion {
			t.Errorf("%q is a version of %q: %t, want %t", test.controller, test.config, got, test.isVersion)
		}
	}
}
