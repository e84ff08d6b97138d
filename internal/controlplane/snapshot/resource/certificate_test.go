package resource

import (
	"testing"
	"time"
)

func TestCertificateVersion(t *testing.T) {
	expiry := time.Unix(1_800_000_000, 0)
	version := CertificateVersion("root-1", "mesh.example.com", expiry)
	if got, ok := CertificateExpiry(version); !ok || !got.Equal(expiry) {
		t.Errorf("%s expires at %s, %t", version, got, ok)
	}
	if generation, domain := CertificateGeneration(version); generation != "root-1" || domain != "mesh.example.com" {
		t.Errorf("%s has the generation %q and the trust domain %q", version, generation, domain)
	}
	for _, other := range []string{"", "root-1@mesh", "root-1@mesh.soon", "17", "." + "x"} {
		if got, ok := CertificateExpiry(other); ok {
			t.Errorf("%q expires at %s", other, got)
		}
	}
	if got, ok := CertificateExpiry(".17"); !ok || got.Unix() != 17 {
		t.Errorf("a version without a generation expires at %s, %t", got, ok)
	}
	if generation, domain := CertificateGeneration(""); generation != "" || domain != "" {
		t.Errorf("no certificate has the generation %q and the trust domain %q", generation, domain)
	}
}

// TestReusableUntil checks which certificates of earlier streams a client may keep.
func TestReusableUntil(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	version := func(generation, domain string, left time.Duration) string {
		return CertificateVersion(generation, domain, now.Add(left))
	}
	current := version("one", "a", time.Hour)
	for name, test := range map[string]struct {
		held, current string
		want          bool
	}{
		"an earlier one":        {version("one", "a", 11*time.Minute), current, true},
		"one that soon expires": {version("one", "a", ReuseMargin), current, false},
		"another generation":    {version("two", "a", time.Hour), current, false},
		"another trust domain":  {version("one", "b", time.Hour), current, false},
		"none is held":          {"", current, false},
		"none is current":       {current, "", false},
		"neither":               {"", "", false},
		"no time":               {"one@a.x", current, false},
		"no generations":        {".1900000000", "", false},
	} {
		until, ok := ReusableUntil(test.held, test.current, now)
		if ok != test.want || ok && !until.Equal(now.Add(time.Minute)) {
			t.Errorf("%s: until %s, %t", name, until, ok)
		}
	}
	if until, _ := ReusableUntil("one@a.x", current, now); !until.IsZero() {
		t.Errorf("a certificate without a time may be kept until %s", until)
	}
}
