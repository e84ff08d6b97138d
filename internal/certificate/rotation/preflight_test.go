package rotation

import (
	"strings"
	"testing"
)

// Everything that would break or could not follow is listed before a rotation, and nothing else is.
func TestPreflight(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Observed)
		want   string
	}{
		"everybody can follow":            {nil, ""},
		"files are being mounted":         {func(o *Observed) { o.Since = noon }, ""},
		"a rejected certificate":          {func(o *Observed) { o.Rejected = []string{"the webhook w cannot use it"} }, "the webhook w cannot use it"},
		"a webhook that is not updated":   {func(o *Observed) { o.Webhooks = []string{"the webhook w is not updated"} }, "the webhook w is not updated"},
		"a namespace that rejects trust":  {func(o *Observed) { o.Namespaces = []string{"shop"} }, "the namespace shop"},
		"a sidecar that does not confirm": {func(o *Observed) { o.Replicas[0].Proxies[0].Synced = false }, "the sidecar of shop/web has not acknowledged"},
		"a sidecar that never had a certificate": {func(o *Observed) {
			o.Replicas[0].Proxies[0] = Proxy{Name: "shop/web", UsesCertificates: true, AwaitsCertificate: true}
		}, ""},
		"a sidecar without a connection": {func(o *Observed) { o.Sidecars = []string{"shop/cut", "shop/web"} }, "the sidecar of shop/cut is not connected"},
		"a peer that is away":            {func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away"}} }, "the peer east is away, so it would not learn"},
		"a peer that is connected":       {func(o *Observed) { o.Peers = []Peer{{Name: "east"}} }, ""},
		"a replica without an answer":    {func(o *Observed) { o.Replicas[0].Problem = "timeout" }, "r1 is unknown: timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Preflight(observed(oldRoot, newRoot, test.change))
			if all := strings.Join(got, "; "); !strings.Contains(all, test.want) || (test.want == "") != (len(got) == 0) || len(got) > 1 {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}
