package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/cli/describe"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

func (a *app) explainCommand() *cobra.Command {
	var meshName, peerContext string
	var headers, files []string
	var remedyOnly bool
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "explain A to B [METHOD PATH]",
		Short: "Explain whether one workload may call another, and why",
		Long: `Explain whether A may call B: the response that the client gets, the policies that allow the call, or what is missing and the YAML
that would allow it. The answer is computed by the same code that configures the sidecars.

A and B are pods, workloads, service accounts or Services, as NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME. B may have a port:
shop/web:8080. DNS names of Services are accepted. For a client outside the mesh, A is the word outside, an address, or a Service
outside the mesh. For a destination outside the mesh, B is a URL with the scheme http, https or tcp. For an account of a peer, A is
PEER/NAMESPACE/sa/NAME with the name of its MeshPeer. Without METHOD and PATH, the question is whether A may send B any request. Instead
of "to" you can use an arrow, quoted for the shell: 'A -> B'.

Whether a call of an imported Service is allowed depends on what its peer offers, which the control plane knows and files do not have.
With --peer-context, the cluster of the peer is asked too, and the answer says which side denies the call. Nothing is changed there.

The exit code is 0 if the call is allowed and 2 if it is denied. It is 1 if the answer depends on what a peer offers, and that is unknown.`,
		Example: `  osm explain bookthief/bookthief to bookstore/bookstore GET /buy-a-book/new
  osm explain bookbuyer/sa/bookbuyer to bookstore/svc/bookstore:14001 GET /books-bought -H 'client-app: bookbuyer'
  osm explain 'shop/deploy/till -> db/sts/mysql'
  osm explain shop/till to https://api.example.com
  osm explain outside to shop/web GET /prices
  osm explain west/shop/sa/web to shop/cart GET /items

  # A Service of a peer: ask both clusters.
  osm explain shop/web to shop/cart GET /items --peer-context east-admin

  # Allow a denied call.
  osm explain shop/till to shop/web GET /prices --remedy | kubectl apply -f -

  # Evaluate files instead of a cluster.
  osm explain shop/till to shop/web -f manifests/`,
		Args: atLeast(1, "A and B"),
		RunE: a.runInNamespace(func(ctx context.Context, namespace string, args []string) error {
			question, err := explain.ParseQuestion(args, headers, namespace)
			if err != nil {
				return err
			}
			if peerContext != "" {
				return a.explainWithPeer(ctx, question, meshName, peerContext, &form)
			}
			return a.explain(ctx, question, meshName, files, remedyOnly, &form)
		}),
	}
	cmd.ValidArgsFunction = a.completeParties
	f := cmd.Flags()
	a.addMeshAndOutput(cmd, &meshName, &form)
	f.StringArrayVarP(&headers, "header", "H", nil, "request header, \"name: value\"; can be repeated")
	f.StringSliceVarP(&files, "filename", "f", nil, "evaluate these files or directories instead of a cluster, separated by commas")
	f.BoolVar(&remedyOnly, "remedy", false, "print only the YAML that would allow the call")
	f.StringVar(&peerContext, "peer-context", "", "also ask the cluster of the peer: its context in the kubeconfig")
	cmd.MarkFlagsMutuallyExclusive("peer-context", "filename")
	cmd.MarkFlagsMutuallyExclusive("peer-context", "remedy")
	_ = cmd.RegisterFlagCompletionFunc("peer-context", a.completeContexts)
	return cmd
}

func (a *app) explain(ctx context.Context, q explain.Question, meshName string, files []string, remedyOnly bool, form *output.Flag) error {
	answer, err := a.answer(ctx, q, meshName, files, !remedyOnly)
	if err != nil {
		return err
	}
	switch {
	case remedyOnly && len(answer.Remedy) == 0 && !answer.Allowed:
		return errors.New(answer.WithoutRemedy())
	case remedyOnly:
		a.noteBeyondRemedy(answer)
		return answer.PrintRemedy(a.Out)
	}
	err = form.Print(a.Out, output.Result{Data: answer, Names: policyNames(answer), Text: answer.Print})
	err = exitIf(answer.Unknown, exitFailed, err)
	return exitIf(!answer.Allowed, exitNo, err)
}

// noteBeyondRemedy says what the remedy does not do: nothing is missing, or more than policies.
func (a *app) noteBeyondRemedy(answer *explain.Answer) {
	if answer.Allowed {
		a.note("Note: the call is already allowed.")
	}
	for _, f := range answer.Missing {
		a.note("Note: the policies do not suffice: %s: %s", f.Message, cmp.Or(f.Remedy, "run the command without --remedy"))
	}
}

func policyNames(answer *explain.Answer) []string {
	kind := "traffictarget.access.smi-spec.io/"
	switch {
	case answer.Outside:
		kind = "egress.policy.openservicemesh.io/"
	case answer.FromOutside:
		return nil // of several kinds
	}
	return lists.Map(answer.Policies, func(policy string) string { return kind + policy })
}

// answer evaluates the mesh in files or in the cluster. With live, it adds the acknowledgements of the sidecars.
func (a *app) answer(ctx context.Context, q explain.Question, meshName string, files []string, live bool) (*explain.Answer, error) {
	m, inCluster, err := a.readMesh(ctx, meshName, files)
	if err != nil {
		return nil, err
	}
	answer, err := explain.Evaluate(ctx, m, q)
	if err == nil && inCluster != nil && live && !answer.FromOutside {
		answer.Live = a.live(ctx, inCluster.client, inCluster.mesh, answer)
	}
	return answer, err
}

// fromCluster loads the mesh from the cluster.
func (a *app) fromCluster(ctx context.Context, c client.Client, found mesh) (explain.Mesh, error) {
	a.progress().report("reading the mesh %s", found.Name)
	objects, err := clusterload.Objects(ctx, c, found.Name, found.Namespace)
	if err != nil {
		return explain.Mesh{}, err
	}
	loaded, err := load.FromObjects(found.Name, c.Scheme(), objects)
	if err != nil {
		return explain.Mesh{}, err
	}
	m := meshOf(found.Name, loaded)
	addStatus(&m, objects)
	m.PeerProblems = peerProblems(loaded.Catalog, objects)
	a.addOffers(ctx, c, found, loaded, &m)
	members := remaining.Members(objects)
	m.Remaining = func(pod *inventory.Instance) bool { return found.siblings.Sidecar(pod, members[pod.Name.Namespace]) }
	m.NotInjected = func(pod entity.Name) string { return analyze.NotInjected(objects, pod) }
	m.Undeclared = func(service *inventory.Service, port uint16) string {
		return analyze.UndeclaredPort(objects, service, port)
	}
	m.Account = func(ctx context.Context, kind, namespace, name string) (string, bool, error) {
		object := kinds.Object(manifests.WorkloadKinds[kind])
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return "", false, nil
		}
		return manifests.AccountOf(object), err == nil, err
	}
	return m, nil
}

func meshOf(name string, loaded *load.Loaded) explain.Mesh {
	m := explain.Mesh{Name: name, Catalog: loaded.Catalog}
	m.Exists = func(ref entity.Ref) bool {
		_, taken := loaded.Names[ref]
		return taken
	}
	m.PodAt = func(address netip.Addr) entity.Name {
		for _, entry := range loaded.Entries {
			if pod, ok := entry.(*inventory.Instance); ok && !pod.Finished && slices.Contains(pod.IPs, address) {
				return pod.Name
			}
		}
		return entity.Name{}
	}
	m.Problems = func(ref entity.Ref) []diagnosis.Finding {
		var all []diagnosis.Finding
		for _, f := range loaded.Findings {
			if f.Kind == ref.Kind && f.Name == ref.Name {
				all = append(all, diagnosis.OfProblem(f.Problem))
			}
		}
		return all
	}
	return m
}

// loadManifests loads a mesh from objects in files, completed with what a cluster would add.
func loadManifests(meshName string, objects []*unstructured.Unstructured) (*manifests.Completed, *load.Loaded, error) {
	complete, err := manifests.Complete(meshName, objects)
	if err != nil {
		return nil, nil, err
	}
	loaded, err := load.FromObjects(complete.Mesh, complete.Scheme, complete.Objects)
	if err != nil {
		return nil, nil, fmt.Errorf("read manifests: %w", err)
	}
	return complete, loaded, nil
}

func meshOfObjects(meshName string, objects []*unstructured.Unstructured) (explain.Mesh, error) {
	complete, loaded, err := loadManifests(meshName, objects)
	if err != nil {
		return explain.Mesh{}, err
	}
	m := meshOf(complete.Mesh, loaded)
	m.Offers = func(string) explain.Offers { return explain.Offers{Unknown: offersInFiles} }
	m.Undeclared = func(service *inventory.Service, port uint16) string {
		return analyze.UndeclaredPort(complete.Objects, service, port)
	}
	m.Account = func(_ context.Context, kind, namespace, name string) (string, bool, error) {
		for _, object := range objects {
			if object.GroupVersionKind().GroupKind() == manifests.WorkloadKinds[kind].GroupKind() &&
				object.GetNamespace() == namespace && object.GetName() == name {
				return manifests.AccountOf(object), true, nil
			}
		}
		return "", false, nil
	}
	return m, nil
}

func (a *app) describePodCommand() *cobra.Command {
	var meshName string
	var files []string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "pod POD",
		Short: "Show who may call a pod, whom it may call, and all policies that affect it",
		Long: `Show the clients that may call a pod and what allows them, and the Services that it may call. All policies that affect its sidecar
follow, with their problems. The answer is computed by the same code that configures the sidecar. POD is NAME, NAMESPACE/NAME or pod/NAME.
Of a workload, such as deploy/web, the first pod is described.

For one call, with the reason and what is missing, use "osm explain".`,
		Example: `  osm describe pod bookstore-v1-5c797ff5f4-tck47 -n bookstore
  osm describe pod bookstore/bookstore-v1-5c797ff5f4-tck47 -o json`,
		Args: exactly(1, "POD"),

		ValidArgsFunction: a.completeMeshedPods,
		RunE: a.runInNamespace(func(ctx context.Context, namespace string, args []string) error {
			m, _, err := a.readMesh(ctx, meshName, files)
			if err != nil {
				return err
			}
			name, err := podIn(m.Catalog, namespace, args[0])
			if err != nil && len(files) == 0 {
				return a.withWhyNoPod(ctx, err, namespace, args[0])
			}
			if err != nil {
				return err
			}
			if pod := m.Catalog.View().Pod(name); pod != nil && m.Remaining != nil && m.Remaining(pod) {
				return fmt.Errorf("pod %s has a sidecar, but namespace %s is not part of mesh %s any more: %s: %s", name, name.Namespace, m.Name, remaining.Effect, remaining.RestartAll(name.Namespace))
			}
			described, err := describe.Pod(m.Catalog, name, m.Problems)
			if err != nil {
				return err
			}
			return form.Print(a.Out, output.Result{Data: described, Names: []string{"pod/" + name.Name}, Text: described.Print})
		}),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &meshName, "")
	f.StringSliceVarP(&files, "filename", "f", nil, "evaluate these files or directories instead of a cluster, separated by commas")
	form.AddTo(f)
	return cmd
}

// withWhyNoPod adds to an error about a workload without pods why its pods cannot be created.
func (a *app) withWhyNoPod(ctx context.Context, cause error, namespace, text string) error {
	kind, name := parseKindName(namespace, text)
	c, err := a.kube.Client()
	if err != nil {
		return cause
	}
	failures, err := creation.Find(ctx, c, name.Namespace, a.now())
	if err != nil {
		return cause // a restricted role does not grant access to all kinds of workloads
	}
	for _, f := range failures {
		if strings.EqualFold(f.Kind, kind) && f.Name == name.Name {
			return fmt.Errorf("%w: %s: %s", cause, f.Message(), f.Remedy())
		}
	}
	return cause
}

// liveMesh is a mesh that was read from its cluster.
type liveMesh struct {
	mesh
	client client.Client
}

// readMesh loads the mesh from files, or from the cluster without any. The second result is nil for files.
func (a *app) readMesh(ctx context.Context, meshName string, files []string) (explain.Mesh, *liveMesh, error) {
	if len(files) > 0 {
		objects, err := readAll(files...)
		if err != nil {
			return explain.Mesh{}, nil, err
		}
		m, err := meshOfObjects(meshName, objects)
		return m, nil, err
	}
	c, found, err := a.open(ctx, meshName)
	if err != nil {
		return explain.Mesh{}, nil, err
	}
	m, err := a.fromCluster(ctx, c, found)
	return m, &liveMesh{found, c}, err
}
