package probes

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// syncedIf is a cache that is synced or not.
type syncedIf bool

func (s syncedIf) WaitForCacheSync(context.Context) bool { return bool(s) }

// TestProbes checks when a replica is ready and alive, by the time since its start, its election and the last reconciliation.
func TestProbes(t *testing.T) {
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
	for name, test := range map[string]struct {
		after, led, beat time.Duration
		unsynced, stands bool
		meshes           []client.Object
		unready, dead    string
	}{
		"before the election":           {after: time.Second, unready: "the election of a leader is in progress"},
		"another replica is active":     {after: time.Second, stands: true},
		"no other replica was seen":     {after: electionTime},
		"just elected":                  {after: 2 * time.Second, led: time.Second, unready: "the watches begin"},
		"elected":                       {after: 5 * time.Second, led: time.Second},
		"elected, without a permission": {after: time.Hour, led: time.Second, unsynced: true, beat: time.Hour, unready: "not all watches have received their objects"},
		"silent, without a mesh":        {after: time.Hour, led: time.Second},
		"silent, with a mesh":           {after: time.Hour, led: time.Second, meshes: []client.Object{mesh}, dead: "no mesh was reconciled for 59m59s"},
		"silent for a while":            {after: time.Hour, led: time.Second, beat: 31 * time.Minute, meshes: []client.Object{mesh}},
		"standing by, with a mesh":      {after: time.Hour, meshes: []client.Object{mesh}},
	} {
		now := func() time.Time { return start.Add(test.after) }
		p := &Server{Caches: []Syncer{syncedIf(true), syncedIf(!test.unsynced)}, Meshes: fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.meshes...).Build(), Now: now, State: NewState(now)}
		p.started.Store(start.UnixNano())
		if test.stands {
			p.State.StandBy()
		}
		if test.led > 0 {
			p.leading.Store(start.Add(test.led).UnixNano())
		}
		if test.beat > 0 {
			p.State.reconciled.Store(start.Add(test.beat).UnixNano())
		}
		for path, c := range map[string]struct {
			check func(context.Context) error
			want  string
		}{"readyz": {p.ready, test.unready}, "healthz": {p.alive, test.dead}} {
			answered := httptest.NewRecorder()
			answer(c.check)(answered, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			body := strings.TrimSpace(answered.Body.String())
			if ok := answered.Code == http.StatusOK; ok != (c.want == "") || !strings.HasPrefix(body, c.want) || ok && body != "ok" {
				t.Errorf("%s: %s answers %d %q, want %q", name, path, answered.Code, body, c.want)
			}
		}
	}
}
