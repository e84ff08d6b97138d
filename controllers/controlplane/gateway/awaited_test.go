package gateway

import (
	"fmt"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
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

// TestServicesReadNoSecrets reconciles as events of Services do. A Secret is read at most twice within ReadInterval, and its change is in use before that is
// over.
func TestServicesReadNoSecrets(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	if f.reads != 1 {
		t.Fatalf("the first reconciliation reads %d Secrets", f.reads)
	}
	renewed := secret(t)
	if err := f.Client.Update(t.Context(), renewed); err != nil {
		t.Fatal(err)
	}
	since := f.now
	for f.now.Sub(since) < secrets.ReadInterval {
		result, err := f.Reconcile(t.Context(), ctrl.Request{})
		if err != nil || f.now.Add(result.RequeueAfter).Sub(since) > 3*secrets.ReadInterval/2 {
			t.Fatalf("%s after the first reading, the next one is due in %s (%v)", f.now.Sub(since), result.RequeueAfter, err)
		}
		f.now = f.now.Add(50 * time.Millisecond)
	}
	if f.reads != 2 {
		t.Errorf("200 events read the Secret %d times", f.reads)
	}
	last, ok := f.sink.changes[len(f.sink.changes)-1].Entry.(*catalog.GatewayCertificate)
	if !ok || string(last.ChainPEM) != string(renewed.Data["tls.crt"]) {
		t.Errorf("the renewed certificate is not in use after %s", secrets.ReadInterval)
	}
	// A Gateway that refers to another Secret needs no wait.
	f.reconcile(t)
	before := f.reads
	f.edit(t, "web", func(listener map[string]any) {
		listener["protocol"], listener["port"] = "HTTPS", int64(8443)
		listener["tls"] = map[string]any{"certificateRefs": []any{map[string]any{"name": "other"}}}
	})
	if f.reconcile(t); f.reads != before+1 {
		t.Errorf("a new reference leads to %d readings", f.reads-before)
	}
}

// TestFewSecretsAreAwaited bounds the requests of a mesh with many Secrets that cannot be used.
func TestFewSecretsAreAwaited(t *testing.T) {
	var current []catalog.Change
	for i := range 3 * maxAwaited {
		current = append(current, catalog.Set(&catalog.GatewayCertificate{Name: entity.Name{Namespace: "shop", Name: fmt.Sprint(i)}, Problem: map[bool]string{true: "It does not exist."}[i%2 == 0]}))
	}
	if awaited := withoutCertificate(current); len(awaited) != maxAwaited || awaited[current[1].Ref] {
		t.Errorf("%v are awaited", awaited)
	}
}
