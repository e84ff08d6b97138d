package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/connectivity"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// ingressOptions are the flags of the verify ingress command.
type ingressOptions struct {
	mesh             string
	fromService      string
	toPod, toService string
	ingressBackend   string
	port             uint16
	protocol         string
}

func (a *app) verifyIngressCommand() *cobra.Command {
	var o ingressOptions
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "ingress --ingress-backend NAME",
		Short: "Verify that traffic from an ingress reaches a pod",
		Long: `Verify the objects between an ingress and a pod of the mesh: the Service of the ingress, the pod and its Service, and the
IngressBackend. This version of the mesh does not support IngressBackend, and sidecars reject connections from outside the mesh, so
the result is never Success. Specify names as NAMESPACE/NAME; the default namespace is the one of -n.`,
		Example: `  osm verify ingress --from-service ingress/gateway --to-pod shop/web-0 --to-service web --ingress-backend web --to-port 8080`,
		Args:    exactly(0, ""),
		RunE:    a.run(func(ctx context.Context, _ []string) error { return a.verifyIngress(ctx, o, &form) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.fromService, "from-service", "", "Service of the ingress")
	f.StringVar(&o.toPod, "to-pod", "", "destination pod")
	f.StringVar(&o.toService, "to-service", "", "Service of the destination pod; the default namespace is the pod's")
	f.StringVar(&o.ingressBackend, "ingress-backend", "", "IngressBackend that allows the ingress; the default namespace is the pod's")
	f.Uint16Var(&o.port, "to-port", 0, "port of the pod")
	f.StringVar(&o.protocol, "app-protocol", "http", "application protocol: http or https")
	form.AddTo(f)
	return cmd
}

// ingressBackendKind is the OSM kind that allows ingress traffic.
var ingressBackendKind = schema.GroupVersionKind{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"}

func (a *app) verifyIngress(ctx context.Context, o ingressOptions, form *output.Flag) error {
	c, _, err := a.open(ctx, o.mesh, form)
	if err != nil {
		return err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return err
	}
	inside := parseName(namespace, o.toPod).Namespace
	kinds := []struct {
		flag, text, namespace string
		kind                  schema.GroupVersionKind
	}{
		{"from-service", o.fromService, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"to-pod", o.toPod, namespace, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}},
		{"to-service", o.toService, inside, schema.GroupVersionKind{Version: "v1", Kind: "Service"}},
		{"ingress-backend", o.ingressBackend, inside, ingressBackendKind},
	}
	result := connectivity.Check{
		Context: "Verify if the ingress can access the mesh", Status: connectivity.Failure,
		Reason:     "this version does not support IngressBackend: sidecars reject connections from outside the mesh",
		Suggestion: "add the ingress to the mesh and allow it with a TrafficTarget; or exclude the port from the sidecar with the pod annotation openservicemesh.io/inbound-port-exclusion-list, without policies and encryption",
	}
	for _, k := range kinds {
		if k.text != "" {
			name := parseName(k.namespace, k.text)
			result.Parts = append(result.Parts, a.exists(ctx, c, k.kind, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, k.flag))
		}
	}
	return a.printCheck(result, form)
}

// exists checks that an object exists.
func (a *app) exists(ctx context.Context, c client.Client, kind schema.GroupVersionKind, key client.ObjectKey, flag string) connectivity.Check {
	check := connectivity.Check{Context: fmt.Sprintf("%s %q exists", kind.Kind, key), Status: connectivity.Success}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := c.Get(ctx, key, object)
	switch {
	case err == nil:
	case kube.IsUndefined(err):
		check.Status, check.Reason = connectivity.Failure, fmt.Sprintf("the cluster has no CRD for kind %s", kind.Kind)
	case client.IgnoreNotFound(err) == nil:
		check.Status, check.Reason, check.Suggestion = connectivity.Failure, "not found", "create it, or check --"+flag
	default:
		check.Status, check.Reason = connectivity.Unknown, a.kube.Sentence(err).Error()
	}
	return check
}
