package upgrade

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxNamedNodes is how many nodes an annotation and a condition name.
const maxNamedNodes = 3

// noteKubelets finds nodes whose kubelets are too old for upgrades in place. The injector reads the annotation of the MeshConfig, and then gives pods one
// slot. A flag of the injector would restart it for each such node that joins or leaves.
func (r *Reconciler) noteKubelets(ctx context.Context, p *pass) error {
	if p.situation.Limits.InPlace {
		old, err := r.DataPlane.OldKubelets(ctx)
		if err != nil {
			return err
		}
		p.oldKubelets = nameNodes(old)
	}
	live := &configv1alpha2.MeshConfig{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: names.MeshConfig}, live); err != nil {
		return client.IgnoreNotFound(err)
	}
	if live.Annotations[names.OldKubeletsAnnotation] == p.oldKubelets {
		return nil
	}
	before := live.DeepCopy()
	delete(live.Annotations, names.OldKubeletsAnnotation)
	if p.oldKubelets != "" {
		metav1.SetMetaDataAnnotation(&live.ObjectMeta, names.OldKubeletsAnnotation, p.oldKubelets)
	}
	if err := r.Client.Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the MeshConfig cannot be annotated with the nodes whose kubelets are too old for upgrades in place: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// nameNodes lists the first nodes; empty without any.
func nameNodes(nodes []string) string {
	text := strings.Join(nodes[:min(len(nodes), maxNamedNodes)], ", ")
	if more := len(nodes) - maxNamedNodes; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// kubeletsNote is why new pods have one slot although the Mesh asks for upgrades in place; empty if they have two.
func (p *pass) kubeletsNote() string {
	if p.oldKubelets == "" {
		return ""
	}
	feature := compatibility.FeatureOf(compatibility.SidecarsInPlace)
	return fmt.Sprintf("%s need kubelets of version %s, and these nodes have older ones: %s; %s until they are upgraded or cordoned",
		feature.Name, feature.Kubelet, p.oldKubelets, feature.Without)
}
