package certificates

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// late is a cache that has not seen any change yet.
type late struct {
	uncached
	seen *corev1.Secret
}

func (l late) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	if name == l.seen.Name {
		return l.seen.DeepCopy(), nil
	}
	return l.uncached.Get(ctx, namespace, name)
}

// TestDeclaredRootIsDesiredAtOnce checks that a root is desired in the pass that declares it, though the cache still has the earlier one: with that one the
// rotation would be over, and the earlier root forgotten before it begins.
func TestDeclaredRootIsDesiredAtOnce(t *testing.T) {
	earlier := validRoot(t)
	r := newReconciler(t, rootSecret(t, names.CABundleSecret, earlier))
	stored := func() *corev1.Secret {
		secret := &corev1.Secret{}
		if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: names.CABundleSecret}, secret); err != nil {
			t.Fatal(err)
		}
		return secret
	}
	r.Secrets = late{uncached{r.Client}, stored()}
	p := passOf(earlier)
	p.desired.RotateRoot = "2026-12"
	got, err := r.desiredRoot(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	written, err := certificate.Decode(ownContent(stored(), ""))
	if err != nil {
		t.Fatal(err)
	}
	if got.Generation() != written.Generation() || got.Generation() == earlier.Generation() {
		t.Errorf("the desired root is %s, the Secret has %s, and had %s before", got.Generation(), written.Generation(), earlier.Generation())
	}
}
