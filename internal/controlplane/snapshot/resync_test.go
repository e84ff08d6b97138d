package snapshot

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestResync checks that a resync pushes changes that were missed, and nothing else.
func TestResync(t *testing.T) {
	for name, settings := range map[string]*catalog.Settings{"by policy": {}, "permissive": {Permissive: true}} {
		t.Run(name, func(t *testing.T) {
			h := newSyncedHarness()
			entries := twoServices()
			client, server := podsOf(entries)
			h.apply(append(entries, settings)...)
			streams := []*Stream{h.connect(t, client), h.connect(t, server)}
			resync := func() []map[string][]string {
				h.store.Resync()
				h.run()
				return []map[string][]string{takeChanges(streams[0]), takeChanges(streams[1])}
			}
			for _, stream := range streams {
				takeChanges(stream)
			}
			if diff := cmp.Diff([]map[string][]string{{}, {}}, resync()); diff != "" {
				t.Errorf("no missed change (-want +got):\n%s", diff)
			}
			second := meshtest.Pod("a", "second", "server", "server", "10.0.0.8")
			for _, entry := range []catalog.Entry{second, meshtest.Slice(meshtest.Name("a", "server"), server, second)} {
				h.store.catalog.Apply([]catalog.Change{catalog.Set(entry)})
			}
			if diff := cmp.Diff([]string{"a/server|80"}, resync()[0]["EDS"]); diff != "" {
				t.Errorf("missed endpoint (-want +got):\n%s", diff)
			}
			tls := *settings
			tls.TLS.MinVersion = "TLSv1_3"
			h.store.catalog.Apply([]catalog.Change{catalog.Set(&tls)})
			if got := resync(); len(got[0]["CDS"]) == 0 || len(got[1]["LDS"]) == 0 {
				t.Errorf("missed TLS version: resync sends %v", got)
			}
		})
	}
}

// TestSettingsArePushedImmediately checks that each setting with an effect on proxies is pushed without another event.
func TestSettingsArePushedImmediately(t *testing.T) {
	for name, settings := range map[string]catalog.Settings{
		"permissive":      {Permissive: true},
		"egress":          {Egress: true},
		"TLS min version": {TLS: catalog.TLS{MinVersion: "TLSv1_3"}},
		"TLS max version": {TLS: catalog.TLS{MaxVersion: "TLSv1_2"}},
		"ciphers":         {TLS: catalog.TLS{CipherSuites: []string{"ECDHE-ECDSA-AES128-GCM-SHA256"}}},
		"curves":          {TLS: catalog.TLS{ECDHCurves: []string{"P-256"}}},
		"health checks":   {ActiveHealthChecks: true},
		"retry policies":  {RetryPolicies: true},
		"log":             {UnloggedRequests: 1},
		"empty rules":     {EmptyRulesSelectNothing: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newSyncedHarness()
			entries := twoServices()
			client, server := podsOf(entries)
			retry := &retry.Policy{
				Name: meshtest.Name("a", "retry"), Source: client.Identity(), Destinations: []entity.Name{meshtest.Name("a", "server")},
				Settings: retry.Settings{On: "5xx", Count: 7},
			}
			h.apply(append(entries, retry)...)
			streams := []*Stream{h.connect(t, client), h.connect(t, server)}
			for _, stream := range streams {
				takeChanges(stream)
			}
			h.apply(&settings)
			if len(takeChanges(streams[0]))+len(takeChanges(streams[1])) == 0 {
				t.Error("no stream was notified")
			}
		})
	}
}
