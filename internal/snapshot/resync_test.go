package snapshot

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResync: what was missed is found at the next resync and sent; what was not missed is not sent again.
func TestResync(t *testing.T) {
	for name, settings := range map[string]*catalog.Settings{"by policy": {}, "permissive": {Permissive: true}} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.store.MarkSynced()
			entries := twoServices()
			client, server := pods(entries)
			b.apply(append(entries, settings)...)
			streams := []*Stream{b.mustConnect(t, client), b.mustConnect(t, server)}
			told := func() []map[string][]string {
				b.store.Resync()
				b.run()
				return []map[string][]string{marked(streams[0]), marked(streams[1])}
			}
			for _, stream := range streams {
				marked(stream)
			}
			if diff := cmp.Diff([]map[string][]string{{}, {}}, told()); diff != "" {
				t.Errorf("nothing was missed (-want +got):\n%s", diff)
			}
			second := meshtest.Pod("a", "second", "server", "server", "10.0.0.8")
			for _, entry := range []catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)} {
				b.store.catalog.Apply([]catalog.Change{catalog.Set(entry)})
			}
			if diff := cmp.Diff([]string{"a/server|80"}, told()[0]["EDS"]); diff != "" {
				t.Errorf("an endpoint was missed (-want +got):\n%s", diff)
			}
			tls := *settings
			tls.TLS.MinVersion = "TLSv1_3"
			b.store.catalog.Apply([]catalog.Change{catalog.Set(&tls)})
			if got := told(); len(got[0]["CDS"]) == 0 || len(got[1]["LDS"]) == 0 {
				t.Errorf("a version of TLS was missed, and resync sends %v", got)
			}
		})
	}
}

// TestSettingsArePushedAtOnce: each setting of the MeshConfig that reaches sidecars does so when it changes, without another event.
func TestSettingsArePushedAtOnce(t *testing.T) {
	for name, settings := range map[string]catalog.Settings{
		"permissive":      {Permissive: true},
		"egress":          {Egress: true},
		"TLS min version": {TLS: catalog.TLS{MinVersion: "TLSv1_3"}},
		"TLS max version": {TLS: catalog.TLS{MaxVersion: "TLSv1_2"}},
		"ciphers":         {TLS: catalog.TLS{CipherSuites: []string{"ECDHE-ECDSA-AES128-GCM-SHA256"}}},
		"curves":          {TLS: catalog.TLS{ECDHCurves: []string{"P-256"}}},
		"health checks":   {ActiveHealthChecks: true},
		"retry policies":  {RetryPolicies: true},
		"empty rules":     {EmptyRulesSelectNothing: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.store.MarkSynced()
			entries := twoServices()
			client, server := pods(entries)
			retry := &catalog.Retry{
				Name: meshtest.Name("a", "retry"), Source: client.Identity(), Destinations: []catalog.Name{meshtest.Name("a", "server")},
				Policy: catalog.RetryPolicy{On: "5xx", Count: 7},
			}
			b.apply(append(entries, retry)...)
			streams := []*Stream{b.mustConnect(t, client), b.mustConnect(t, server)}
			for _, stream := range streams {
				marked(stream)
			}
			b.apply(&settings)
			if len(marked(streams[0]))+len(marked(streams[1])) == 0 {
				t.Error("no sidecar hears of it")
			}
		})
	}
}
