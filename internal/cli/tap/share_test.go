package tap_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
)

// TestShareSelectsByIdentifier has numbers around those of the share. Envoys decide alike in internal/testing/pods.
func TestShareSelectsByIdentifier(t *testing.T) {
	const rest = "-c2fb-4039-afc5-8eb3492b5083"
	for name, test := range map[string]struct {
		share           tap.Share
		id              string
		selected, known bool
	}{
		"all":                  {tap.AllRequests, "ffffffff" + rest, true, true},
		"all, no identifier":   {tap.AllRequests, "", true, true},
		"none":                 {0, "00000000" + rest, false, true},
		"99,999":               {100_000, "0001869f" + rest, true, true},
		"100,000":              {100_000, "000186a0" + rest, false, true},
		"one million":          {1, "000f4240" + rest, true, true},
		"the last of 32 bits":  {967_296, "ffffffff" + rest, true, true}, // 4,294,967,295
		"the last, not chosen": {967_295, "ffffffff" + rest, false, true},
		"upper case":           {967_296, "FFFFFFFF", true, true},
		"no number":            {999_999, "order-00000000", false, false},
		"a sign":               {999_999, "-0000001" + rest, false, false},
		"too short":            {999_999, "0000000", false, false},
		"no identifier":        {999_999, "", false, false},
	} {
		if selected, known := test.share.Selects(test.id); selected != test.selected || known != test.known {
			t.Errorf("%s: selected %v, known %v", name, selected, known)
		}
	}
}

func TestShareInPercent(t *testing.T) {
	for share, want := range map[tap.Share]string{0: "0%", 1: "0.0001%", 5_000: "0.5%", 100_000: "10%", 333_333: "33.3333%", tap.AllRequests: "100%"} {
		if got := share.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
