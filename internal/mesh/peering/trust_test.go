package peering_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

func TestFollow(t *testing.T) {
	declared, next := pki.New(t).RootPEM, pki.New(t).RootPEM
	both := slices.Concat(declared, next)
	since := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	end := since.Add(peering.MaxFollow)
	for name, test := range map[string]struct {
		sent                []byte
		follow              bool
		now                 time.Time
		differs, trustsNext bool
	}{
		"nothing was sent":        {nil, true, since, false, false},
		"the declared root":       {declared, true, since, false, false},
		"both":                    {both, true, since, true, true},
		"only the next":           {next, true, since, true, true},
		"not followed":            {both, false, since, true, false},
		"shortly before the end":  {both, true, end.Add(-1), true, true},
		"at the end":              {both, true, end, true, false},
		"something else was sent": {[]byte("x"), true, since, false, false},
	} {
		got := peering.Follow(declared, test.sent, test.follow, since, test.now)
		roots, err := peering.ParseRoots(got.RootsPEM)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if trusts := len(roots) == 2; got.Differs != test.differs || trusts != test.trustsNext || trusts == got.Until.IsZero() {
			t.Errorf("%s: got %d roots, differs %t, until %v", name, len(roots), got.Differs, got.Until)
		}
	}
}

func TestBundlesOfPeersAreLimited(t *testing.T) {
	root := pki.New(t)
	leaf, _ := root.Issue(t, SA("shop", "cart"), "a.example")
	for name, bundle := range map[string][]byte{
		"nothing": nil, "no authority": leaf, "too many": slices.Repeat(root.RootPEM, peering.MaxRoots+1),
		"not readable": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		if roots, err := peering.ParseRoots(bundle); err == nil {
			t.Errorf("%s: got %d roots", name, len(roots))
		}
	}
}

func TestCompatibleVersions(t *testing.T) {
	for _, test := range []struct {
		own, other string
		want       bool
	}{
		{"v0.6.0", "v0.6.3", true},
		{"v0.6.0", "v0.5.9", true},
		{"v0.6.0", "v0.7.0-rc.1", true},
		{"v0.6.0", "v0.8.0", false},
		{"v0.6.0", "v1.6.0", false},
		{"dev", "v0.6.0", true},
		{"v0.6.0", "", true},
	} {
		if got := peering.IsCompatible(test.own, test.other); got != test.want {
			t.Errorf("%s and %s: %t", test.own, test.other, got)
		}
	}
}

// TestAcceptedRootsAreFingerprints has trust with something else in place of fingerprints.
func TestAcceptedRootsAreFingerprints(t *testing.T) {
	bundle, fingerprint := string(pki.New(t).RootPEM), strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		trust peering.Trust
		valid bool
	}{
		"none are reported": {peering.Trust{Bundle: bundle}, true},
		"as many as are followed and declared": {
			peering.Trust{Bundle: bundle, Accepted: slices.Repeat([]string{fingerprint}, 2*peering.MaxRoots)}, true,
		},
		"too many":            {peering.Trust{Bundle: bundle, Accepted: slices.Repeat([]string{fingerprint}, 2*peering.MaxRoots+1)}, false},
		"a short fingerprint": {peering.Trust{Bundle: bundle, Accepted: []string{fingerprint[:12]}}, false},
		"no hexadecimal":      {peering.Trust{Bundle: bundle, Accepted: []string{strings.Repeat("x", 64)}}, false},
		"no roots":            {peering.Trust{Accepted: []string{fingerprint}}, false},
	} {
		if err := test.trust.Check(); (err == nil) != test.valid {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
