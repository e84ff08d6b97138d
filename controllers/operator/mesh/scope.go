package mesh

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operand"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// scope is what the phases of one reconciliation know. Each phase may read what earlier ones wrote.
type scope struct {
	mesh   *v1alpha1.Mesh
	wanted desired.Mesh

	// release is written by validate.
	release *operand.Release
	// home is the namespace of the mesh, written by namespace.
	home *corev1.Namespace
	// root is written by authority.
	root *certificate.Root
	// bundles are what the API server trusts, by the name of the Secret; written by servingCertificates.
	bundles map[string][]byte
	// current is the MeshRevision that is wanted, as it is now; nil when it does not exist. Written by steer.
	current *v1alpha1.MeshRevision
	// situation and plan are written by steer.
	situation rollout.Situation
	plan      rollout.Plan
	// base and baseRevision are what runs the mesh's own Deployments, by the plan; written by steer.
	base         *operand.Release
	baseRevision *v1alpha1.MeshRevision

	// notes are sentences for the condition Installed: what is installed with a reservation.
	notes []string
	// pending says what cannot be installed yet.
	pending []string
	// configuration is the verdict on the MeshConfig.
	configuration *condition.Verdict
	// requeue is when to look again without an event; 0 is never.
	requeue time.Duration
}

// newScope starts a reconciliation.
func (r *Reconciler) newScope(mesh *v1alpha1.Mesh) *scope {
	return &scope{mesh: mesh.DeepCopy(), wanted: desired.Of(mesh, r.Catalogue.Current()), bundles: map[string][]byte{}}
}

// lookAgain asks for another reconciliation after a time.
func (s *scope) lookAgain(after time.Duration) {
	if s.requeue == 0 || after < s.requeue {
		s.requeue = max(after, time.Second)
	}
}

// parameters are what shared objects of the mesh are rendered with.
func (r *Reconciler) parameters(s *scope) operand.Parameters {
	return desired.Parameters(desired.Revision(s.mesh, s.wanted, s.release.Images), r.OperatorNamespace)
}

// say writes an Event about the mesh. Events of equal kind, reason and action within some minutes are counted, not repeated, so
// action names what each is about.
func (r *Reconciler) say(s *scope, kind, reason, action, format string, arguments ...any) {
	r.Recorder.Eventf(s.mesh, nil, kind, reason, action, format, arguments...)
}
