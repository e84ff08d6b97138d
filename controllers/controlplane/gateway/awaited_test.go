package gateway

import (
	"fmt"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestPermittedSecretIsReadWithinASecond permits the control plane to read a Secret. Its listener is served after the next reconciliation, which comes
// a second later; with a usable certificate, the next one comes after ten.
func TestPermittedSecretIsReadWithinASecond(t *testing.T) {
	f := newFixture(t, secret(t))
	f.forbidden = true
	for step, want := range []time.Duration{awaitInterval, awaitInterval, secrets.ReadInterval} {
		f.forbidden = step < 2
		result, err := f.Reconcile(t.Context(), ctrl.Request{})
		if err != nil || result.RequeueAfter != want {
			t.Errorf("step %d: again after %s (%v), want %s", step, result.RequeueAfter, err, want)
		}
		f.now = f.now.Add(result.RequeueAfter)
	}
	if _, problems := f.statusOfGateway(t); len(problems) > 0 {
		t.Errorf("problems %q of a listener whose Secret may be read", problems)
	}
}

// TestFewSecretsAreAwaited bounds the requests of a mesh with many Secrets that cannot be used.
func TestFewSecretsAreAwaited(t *testing.T) {
	var current []catalog.Change
	for i := range 3 * maxAwaited {
		current = append(current, catalog.Set(&catalog.GatewayCertificate{Name: catalog.Name{Namespace: "shop", Name: fmt.Sprint(i)}, Problem: map[bool]string{true: "It does not exist."}[i%2 == 0]}))
	}
	if awaited := withoutCertificate(current); len(awaited) != maxAwaited || awaited[current[1].Ref] {
		t.Errorf("%v are awaited", awaited)
	}
}
