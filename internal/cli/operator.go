package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/dist"
	"github.com/openservicemesh/osm-operator/internal/cli/images"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/operators"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// installOperator applies the operator's manifests and waits until its pods are ready. It does nothing if an operator runs in another namespace.
func (a *app) installOperator(ctx context.Context, c client.Client, p *progress) error {
	elsewhere, err := operators.Elsewhere(ctx, c)
	if err != nil {
		return a.kube.Sentence(err)
	}
	if elsewhere != "" {
		a.note("The operator in namespace %s manages this cluster: no other one is installed.", elsewhere)
		return nil
	}
	objects, err := manifests.Decode(dist.Operator)
	if err != nil {
		return fmt.Errorf("decode embedded manifests: %w", err)
	}
	for _, object := range objects {
		if err := a.applyWhenServed(ctx, c, object); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), a.kube.Sentence(err))
		}
	}
	last := "its Deployment has not been read yet"
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		d := &appsv1.Deployment{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: names.OperatorNamespace, Name: "osm-operator"}, d); err != nil {
			return false, err
		}
		desired := ptr.Deref(d.Spec.Replicas, 1)
		last = fmt.Sprintf("%d of %d pods are ready", d.Status.ReadyReplicas, desired)
		p.report("waiting for the operator: %s", last)
		return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == desired && d.Status.ReadyReplicas >= desired, nil
	})
	if err == nil {
		a.note("The operator is running in namespace %s.", names.OperatorNamespace)
	}
	return timedOut(err, "the operator is not ready after %s (%s): run `kubectl -n %s describe pods` for details", p.elapsed(), last, names.OperatorNamespace)
}

// applyWhenServed applies an object. It retries while the API server does not serve the kind yet, and until it has established a CRD. Each apply
// gets a copy, because the client writes the response into what it applied.
func (a *app) applyWhenServed(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	return wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), fieldOwner, client.ForceOwnership)
		if kube.IsUndefined(err) {
			return false, nil
		}
		if err != nil || object.GetKind() != "CustomResourceDefinition" {
			return err == nil, err
		}
		return established(ctx, c, object.GetName())
	})
}

func established(ctx context.Context, c client.Client, name string) (bool, error) {
	live := kinds.Object(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := c.Get(ctx, client.ObjectKey{Name: name}, live); err != nil {
		return false, err
	}
	conditions, err := kinds.ConditionsOf(live)
	return meta.IsStatusConditionTrue(conditions, string(apiextensionsv1.Established)), err
}

// removeOperator deletes the objects that installOperator applies, in reverse order.
func (a *app) removeOperator(ctx context.Context, c client.Client) error {
	elsewhere, err := operators.Elsewhere(ctx, c)
	if err != nil {
		return a.kube.Sentence(err)
	}
	if elsewhere != "" {
		return fmt.Errorf("the operator in namespace %s was not installed by osm: remove it as it was installed, for example by Helm or OLM", elsewhere)
	}
	objects, err := manifests.Decode(dist.Operator)
	if err != nil {
		return fmt.Errorf("decode embedded manifests: %w", err)
	}
	slices.Reverse(objects)
	for _, object := range objects {
		if err := c.Delete(ctx, object); client.IgnoreNotFound(err) != nil && !kube.IsUndefined(err) {
			return fmt.Errorf("delete %s %s: %w", object.GetKind(), object.GetName(), a.kube.Sentence(err))
		}
	}
	a.line("Deleted the operator and its CRDs")
	return nil
}

func (a *app) bundleImagesCommand() *cobra.Command {
	var form output.Flag
	var mirror string
	var patch bool
	cmd := &cobra.Command{
		Use:   "images",
		Short: "List the images that a mesh can need",
		Long: `List the images of the operator, of the mesh in the version of this program, and of the earlier versions that the operator can
install. Each has the variable of the operator's Deployment, and the field of the Mesh, that replaces it. Images of servers are
needed only by meshes that run them. No cluster is needed.

With --mirror, print a line SOURCE=TARGET per image, as "oc image mirror -f" reads it. With --patch, print a patch of the operator's
Deployment instead, with which the operator and its meshes use the mirror.`,
		Example: `  osm bundle images
  osm bundle images --mirror registry.example.com/osm > mirror.txt
  osm bundle images --mirror registry.example.com/osm --patch > patch.yaml`,
	}
	cmd.RunE = a.run(func(context.Context, []string) error {
		if patch && mirror == "" {
			return errors.New("--patch requires --mirror: give the registry that has the images")
		}
		if strings.Contains(mirror, "://") {
			return fmt.Errorf("invalid --mirror %s: write the registry without a scheme, such as registry.example.com/osm", mirror)
		}
		all, err := images.List(mirror)
		if err != nil {
			return err
		}
		if patch {
			text, err := images.Patch(mirror, all)
			fmt.Fprint(a.Out, string(text))
			return err
		}
		if mirror != "" && form.ForPeople() {
			for _, image := range all {
				a.line("%s=%s", image.Source, image.Target)
			}
			return nil
		}
		return form.Print(a.Out, output.List(all, all, output.Columns("IMAGE", "VERSION", "VARIABLE", "FIELD"), func(image images.Image) (string, []string) {
			return image.Source, []string{image.Source, image.Version, image.Variable, image.Field}
		}))
	})
	form.AddTo(cmd.Flags())
	cmd.Flags().StringVar(&mirror, "mirror", "", "registry, with an optional path, that the images are copied to")
	cmd.Flags().BoolVar(&patch, "patch", false, "print a patch of the operator's Deployment")
	return cmd
}
