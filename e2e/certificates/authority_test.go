package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// changeCertificates applies a JSON merge patch to spec.certificates.
func changeCertificates(t *testing.T, patch string) {
	t.Helper()
	mesh := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: names.DefaultMesh}}
	lab.Must(t, cluster.Patch(t.Context(), mesh, `{"spec":{"certificates":`+patch+`}}`))
}

// activeAuthority reads the certificate authority that the control plane uses.
func activeAuthority(ctx context.Context) (*certificate.Root, error) {
	return readAuthority(ctx, names.ActiveCASecret)
}

func readAuthority(ctx context.Context, secretName string) (*certificate.Root, error) {
	var secret corev1.Secret
	if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.DefaultNamespace, Name: secretName}, &secret); err != nil {
		return nil, err
	}
	return certificate.Decode(secret.Data)
}

// ownAuthority waits until the mesh uses its own authority alone, to which it may be returning since the earlier test, and returns it.
func ownAuthority(t *testing.T) *certificate.Root {
	t.Helper()
	var own *certificate.Root
	lab.Eventually(t, rotationLimit, "the mesh has its own authority", func(ctx context.Context) (bool, string, error) {
		var err error
		if own, err = readAuthority(ctx, names.CABundleSecret); err != nil {
			return false, "", err
		}
		now, err := activeAuthority(ctx)
		if err != nil {
			return false, "", err
		}
		return now.Generation() == own.Generation() && len(now.Anchors()) == 1, now.Generation() + " issues", nil
	})
	return own
}

// awaitRotation waits until the mesh has moved from an authority to another one and a rotation is over, calls step once with each step
// of it, and returns the new authority. It watches the Mesh, because some steps are over at once.
func awaitRotation(t *testing.T, from *certificate.Root, step func(reason string)) *certificate.Root {
	t.Helper()
	start, last := time.Now(), ""
	changes, err := cluster.Client.Watch(t.Context(), &v1alpha1.MeshList{}, client.MatchingFields{"metadata.name": names.DefaultMesh})
	lab.Must(t, err)
	defer changes.Stop()
	var rotating *metav1.Condition
	var state string
	var now *certificate.Root
	lab.Eventually(t, rotationLimit, "the mesh has another certificate authority", func(ctx context.Context) (bool, string, error) {
		for _, mesh := range received(changes) {
			state = lab.Conditions(mesh.Status.Conditions)
			if rotating = meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority); rotating != nil && rotating.Reason != last {
				t.Logf("%5.1fs %s: %s", time.Since(start).Seconds(), rotating.Reason, rotating.Message)
				last = rotating.Reason
				step(last)
			}
		}
		if rotating != nil {
			return false, rotating.Reason + ": " + rotating.Message, nil
		}
		var err error
		if now, err = activeAuthority(ctx); err != nil {
			return false, "", err
		}
		isOver := now.Generation() != from.Generation() && len(now.Anchors()) == 1
		return isOver, fmt.Sprintf("%s issues; %s", now.Generation(), state), nil
	})
	t.Logf("%5.1fs the rotation from %s to %s is over", time.Since(start).Seconds(), from.Generation(), now.Generation())
	return now
}

// received returns the states of the Mesh that a watch has received since the last call, in their order.
func received(changes watch.Interface) []*v1alpha1.Mesh {
	var states []*v1alpha1.Mesh
	for {
		select {
		case event := <-changes.ResultChan():
			if mesh, is := event.Object.(*v1alpha1.Mesh); is {
				states = append(states, mesh)
				continue
			}
			return states
		default:
			return states
		}
	}
}

// requireIssued verifies the chain that a sidecar presents with nothing but the trust of an authority.
func requireIssued(t *testing.T, chain string, authority *certificate.Root) {
	t.Helper()
	block, rest := pem.Decode([]byte(chain))
	if block == nil {
		t.Fatalf("the sidecar presents no certificate: %q", chain)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	lab.Must(t, err)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertPEM())
	intermediates.AppendCertsFromPEM(rest)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
		t.Errorf("the certificate of the sidecar is not one of the new authority: %v", err)
	}
	if !authority.Issued(leaf) {
		t.Errorf("the certificate of the sidecar has another issuer than %s", authority.Generation())
	}
}
