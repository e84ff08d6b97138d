package takeover

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Survey reads a cluster for the takeover of the Open Service Mesh in namespace from by a Mesh in another namespace. What cannot be read is a finding.
func Survey(ctx context.Context, subject checks.Subject, from, namespace string) (*Report, error) {
	running, err := takeover.ReadRunning(ctx, subject.Client, from)
	if err != nil {
		return nil, err
	}
	if !running.HasController {
		return nil, fmt.Errorf("namespace %s has no Deployment %s of an Open Service Mesh: name its namespace with --from", from, names.Controller)
	}
	mesh := NewMesh(running, namespace)
	r := &Report{
		From: Source{Namespace: from, Mesh: running.Mesh, Version: running.Version, TrustDomain: running.TrustDomain, Provider: running.Provider},
		Mesh: mesh, Removal: running.Removal(), Blocks: []diagnosis.Finding{}, Differences: []diagnosis.Finding{},
	}
	if text := running.Mismatch(desired.StateOf(mesh, "")); text != "" {
		r.Blocks = append(r.Blocks, diagnosis.Fail("", "%s", text))
	}
	subject.Mesh, subject.Namespace = running.Mesh, from
	for _, f := range subject.Takeover(ctx) {
		switch f.Severity {
		case diagnosis.Error:
			r.Blocks = append(r.Blocks, f)
		case diagnosis.Warning, diagnosis.Unknown:
			r.Differences = append(r.Differences, f)
		}
	}
	pods, err := subject.OSMSidecars(ctx)
	if err != nil {
		return nil, err
	}
	r.Workloads = summarize(workloadsOf(pods))
	r.BridgeReasons = bridgeReasons(ctx, subject.Client, from, r.Workloads)
	r.Objects = effects(ctx, subject.Client, running, namespace)
	return r, nil
}

// NewMesh returns the Mesh that begins a takeover.
func NewMesh(running takeover.Running, namespace string) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Mesh"},
		ObjectMeta: metav1.ObjectMeta{Name: running.Mesh},
		Spec: v1alpha1.MeshSpec{
			Namespace: ptr.To(namespace),
			Adoption:  &v1alpha1.AdoptionSpec{From: ptr.To(running.Namespace), Step: ptr.To(v1alpha1.AdoptionPrepared)},
		},
	}
	if running.TrustDomain != names.DefaultTrustDomain {
		mesh.Spec.Certificates = &v1alpha1.CertificatesSpec{TrustDomain: ptr.To(running.TrustDomain)}
	}
	return mesh
}
