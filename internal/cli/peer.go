package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/peerfiles"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (a *app) peerCommand() *cobra.Command {
	return group("peer", "Exchange Services with other meshes", nil, a.peerShowCommand(), a.peerExportCommand(), a.peerImportCommand(), a.peerCheckCommand())
}

func (a *app) peerShowCommand() *cobra.Command {
	var meshName, peerMesh string
	var gateways []string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Print what another mesh applies to declare this one as a peer",
		Long: `Print the MeshPeer that the administrator of another mesh applies to declare this mesh as a peer. NAME is the name by which the other
mesh will know this one. Policies and labels there contain it.

The object has the trust domain of this mesh, its roots, and the addresses of its peer gateway. It contains no key, token or other
secret. Compare the fingerprints in its first lines by another way than the one by which you send it: whoever can replace the roots
can answer in the place of this mesh.`,
		Example: `  osm peer show west > west.yaml
  osm peer show west --gateway 192.0.2.7:15443`,
		Args: exactly(1, "NAME"),
	}
	cmd.RunE = a.run(func(ctx context.Context, args []string) error {
		return a.peerShow(ctx, meshName, peerfiles.Own{Name: args[0], PeerMesh: peerMesh}, gateways)
	})
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().StringVar(&peerMesh, "peer-mesh", names.DefaultMesh, "name of the Mesh in the other cluster")
	cmd.Flags().StringSliceVar(&gateways, "gateway", nil, "addresses of the peer gateway, separated by commas: one DNS name, or IP addresses, each with an optional port")
	return cmd
}

func (a *app) peerShow(ctx context.Context, meshName string, own peerfiles.Own, gateways []string) error {
	c, m, err := a.open(ctx, meshName)
	if err != nil {
		return err
	}
	if own.TrustDomain = m.trustDomain; own.TrustDomain == "" {
		return fmt.Errorf("the trust domain of mesh %s is not known yet: wait until the Mesh is ready", m.Name)
	}
	if own.RootsPEM, err = rootsOf(ctx, c, m); err != nil {
		return err
	}
	if own.Gateways, err = peerGateways(ctx, c, m, gateways); err != nil {
		return err
	}
	object, err := own.MeshPeer()
	if err != nil {
		return err
	}
	fingerprints, err := certificate.FullFingerprints([]byte(own.RootsPEM))
	if err != nil {
		return err
	}
	a.line("# Mesh %s with the trust domain %s. SHA-256 fingerprints of its roots:", m.Name, own.TrustDomain)
	for _, fingerprint := range fingerprints {
		a.line("#   %s", fingerprint)
	}
	return a.printObjects(object)
}

// rootsOf returns the roots of a mesh. Each of its namespaces has them.
func rootsOf(ctx context.Context, c client.Client, m mesh) (string, error) {
	for _, namespace := range append([]string{m.Namespace}, m.Members...) {
		var trust corev1.ConfigMap
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.TrustConfigMap(m.Name)}, &trust)
		if roots := trust.Data[names.CABundleCert]; err == nil && roots != "" {
			return roots, nil
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("no namespace has the roots of mesh %s: add one with `osm namespace add NAMESPACE`, or wait until the Mesh is ready", m.Name)
}

// peerGateways returns the given addresses, or those of the load balancer of the peer gateway.
func peerGateways(ctx context.Context, c client.Client, m mesh, given []string) ([]v1alpha1.PeerGatewayAddress, error) {
	var gateways []v1alpha1.PeerGatewayAddress
	for _, text := range given {
		gateway, err := peerfiles.ParseGateway(text)
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, gateway)
	}
	if len(gateways) > 0 {
		return gateways, nil
	}
	service := &corev1.Service{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.PeerGateway}, service); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, peerfiles.NoAddress(nil)
		}
		return nil, err
	}
	if gateways = peerfiles.GatewaysOf(service); len(gateways) == 0 {
		return nil, peerfiles.NoAddress(service)
	}
	return gateways, nil
}

func (a *app) peerExportCommand() *cobra.Command {
	var peer string
	cmd := &cobra.Command{
		Use:   "export NAMESPACE/NAME --to PEER",
		Short: "Print what exports a Service to a peer",
		Long: `Print the ServiceExport by which a namespace offers a Service to a peer, for "kubectl apply -f -". A peer may then call it as far as
TrafficTargets have accounts of the peer among their sources, with the kind PeerServiceAccount. Without any, the peer does not see it.`,
		Example: `  osm peer export shop/cart --to east | kubectl apply -f -
  osm peer export shop/cart --to Any`,
		Args: exactly(1, "NAMESPACE/NAME"),
	}
	cmd.RunE = a.run(func(_ context.Context, args []string) error {
		object, err := peerfiles.Export(args[0], peer)
		if err != nil {
			return err
		}
		return a.printObjects(object)
	})
	cmd.Flags().StringVar(&peer, "to", "", "name of the MeshPeer, or "+names.AnyPeer)
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func (a *app) peerImportCommand() *cobra.Command {
	var peer string
	var ports []string
	cmd := &cobra.Command{
		Use:   "import NAMESPACE/NAME --from PEER --port PORT",
		Short: "Print what imports a Service from a peer",
		Long: `Print a Service without pods, and the ServiceImport that lets the Service of the same name of a peer answer its requests, for
"kubectl apply -f -". Workloads call it like a Service of this cluster. Those that the peer admits can.`,
		Example: `  osm peer import shop/cart --from east --port 80 | kubectl apply -f -
  osm peer import shop/db --from east --port 5432/tcp`,
		Args: exactly(1, "NAMESPACE/NAME"),
	}
	cmd.RunE = a.run(func(_ context.Context, args []string) error {
		if len(ports) == 0 {
			return errors.New("missing --port: name the ports of the Service")
		}
		consent, err := peerfiles.Import(args[0], peer)
		if err != nil {
			return err
		}
		service, err := peerfiles.Service(args[0], ports)
		if err != nil {
			return err
		}
		return a.printObjects(service, consent)
	})
	cmd.Flags().StringVar(&peer, "from", "", "name of the MeshPeer")
	cmd.Flags().StringSliceVar(&ports, "port", nil, "ports, separated by commas: NUMBER, or NUMBER/PROTOCOL with the protocol http, grpc, tcp or tcp-server-first")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

func (a *app) peerCheckCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the peers of a mesh",
		Long: `Check whether a mesh is ready for peers, and each of its MeshPeers: the peer gateway, distinct trust domains, roots, the connection
between the control planes, versions, and the Services that are exchanged. Each problem is printed with its remedy. The exit code is 1
if a check fails.`,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.check(ctx, meshName, true, &form, checks.Subject.Peers)
		}),
	}
	a.addMeshAndOutput(cmd, &meshName, &form)
	return cmd
}

// printObjects prints objects as YAML documents, without empty fields and status.
func (a *app) printObjects(objects ...runtime.Object) error {
	for i, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		delete(fields, "status")
		text, err := yaml.Marshal(fields)
		if err != nil {
			return err
		}
		if i > 0 {
			a.line("---")
		}
		lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool { return strings.TrimSpace(line) == "creationTimestamp: null" })
		fmt.Fprint(a.Out, strings.Join(lines, ""))
	}
	return nil
}
