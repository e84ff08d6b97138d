package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// collected returns the kinds that every report contains. Secrets and ConfigMaps of applications are never included.
func collected() []schema.GroupVersionKind {
	result := []schema.GroupVersionKind{
		{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "Mesh"},
		{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "MeshRevision"},
		kinds.MeshPeer,
		{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"},
		{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshRootCertificate"},
		{Version: "v1", Kind: "Namespace"},
		{Version: "v1", Kind: "Node"},
	}
	for _, source := range kinds.Policies() {
		result = append(result, source.Object.GetObjectKind().GroupVersionKind())
	}
	return append(result, kinds.ServiceExport, kinds.ServiceImport)
}

// optional lists kinds that a cluster without peers does not define.
var optional = []schema.GroupVersionKind{kinds.MeshPeer, kinds.ServiceExport, kinds.ServiceImport}

// ingress lists kinds for inbound traffic. A cluster may define any of them.
var ingress = []schema.GroupVersionKind{
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "IngressClass"},
	{Group: "policy.openservicemesh.io", Version: "v1alpha1", Kind: "IngressBackend"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GRPCRoute"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"},
	kinds.TLSRoute,
	kinds.GatewayTCPRoute,
}

// local lists the kinds that a report contains for each namespace.
var local = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Version: "v1", Kind: "Service"},
	{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	{Version: "v1", Kind: "Event"},
}

// bugReport is a report that is being written.
type bugReport struct {
	app    *app
	client client.Client
	logs   kubernetes.Interface
	// logTimeout limits the transfer of one log. The API server waits for kubelets without a limit.
	logTimeout time.Duration
	// slotAnswer asks the Envoy in a slot of a pod.
	slotAnswer func(ctx context.Context, namespace, pod, slot, method, path string) ([]byte, error)
	tar        *tar.Writer
	now        time.Time
	// held are the pods that the report already contains.
	held     map[types.UID]bool
	progress *progress
	// kinds counts the kinds that could be read.
	kinds int
	// gaps describe what could not be collected.
	gaps []string
}

// bugReportOptions are the flags of the bug-report command.
type bugReportOptions struct {
	mesh, file string
	all        bool
	namespaces []string
	// deployments and pods are "<namespace>/<name>".
	deployments, pods []string
	ingress           bool
}

func (a *app) bugReportCommand() *cobra.Command {
	var o bugReportOptions
	cmd := &cobra.Command{
		Use:   "bug-report",
		Short: "Collect diagnostics into an archive",
		Long: `Collect versions, check results, policies, and the state and logs of the control plane into one archive (tar.gz).
--all, --app-namespaces, --app-deployments and --app-pods add the logs of application pods and the Envoy state of their sidecars.
--ingress adds the objects for inbound traffic.

Of a pod with two sidecar slots, it has the logs of both. The state of an Envoy that does not serve needs the permission to create pods/exec.

The archive never contains Secrets or private keys. It does contain environment variables and logs: review it before you share it.`,
		Example: `  osm support bug-report
  osm support bug-report --app-namespaces shop,till -o report.tar.gz
  osm support bug-report --app-deployments shop/web --app-pods till/till-5c797ff5f4-tck47 --ingress`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.bugReport(ctx, o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.BoolVar(&o.all, "all", false, "include all namespaces of the mesh")
	f.StringSliceVar(&o.namespaces, "app-namespaces", nil, "namespaces to include, separated by commas")
	f.StringSliceVar(&o.deployments, "app-deployments", nil, "Deployments whose pods to include, as NAMESPACE/NAME, separated by commas")
	f.StringSliceVar(&o.pods, "app-pods", nil, "pods to include, as NAMESPACE/NAME, separated by commas")
	f.BoolVar(&o.ingress, "ingress", false, "include Ingresses, IngressBackends, Gateways and HTTPRoutes")
	f.StringVarP(&o.file, "out-file", "o", "", "output file (default: osm-bug-report-<time>.tar.gz)")
	_ = cmd.RegisterFlagCompletionFunc("app-namespaces", a.completeNamespaces)
	return cmd
}

func (a *app) bugReport(ctx context.Context, o bugReportOptions) error {
	subject, err := a.subject(ctx, o.mesh, true)
	if err != nil {
		return err
	}
	logs, err := a.kube.Clientset()
	if err != nil {
		return err
	}
	if o.file == "" {
		o.file = "osm-bug-report-" + a.now().UTC().Format("20060102-150405") + ".tar.gz"
	}
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	r := &bugReport{
		app: a, client: subject.Client, logs: logs, logTimeout: logTimeout, slotAnswer: a.kube.SlotAnswer,
		tar: tar.NewWriter(zipped), now: a.now(), progress: a.progress(), held: map[types.UID]bool{},
	}
	chosen, err := r.choose(ctx, subject, o)
	if err != nil {
		return err
	}
	if err := r.collect(ctx, subject, chosen); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	if r.kinds == 0 {
		return fmt.Errorf("collect bug report: nothing could be read: %s", r.gaps[0])
	}
	if err := os.WriteFile(o.file, content.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write bug report: %w", err)
	}
	for _, gap := range r.gaps {
		a.note("Not in the report: %s", gap)
	}
	a.line("%s", o.file)
	return nil
}

func (r *bugReport) collect(ctx context.Context, subject checks.Subject, chosen choice) error {
	r.progress.report("checking the mesh")
	var text bytes.Buffer
	groups := slices.Concat(subject.ControlPlane(ctx), subject.DataPlane(ctx), subject.Policies(ctx), subject.DeclaredPeers(ctx))
	if err := diagnosis.Group("mesh "+subject.Mesh, groups...).PrintGroups(&text); err != nil {
		return err
	}
	if err := r.put("check.txt", text.Bytes()); err != nil {
		return err
	}
	for _, kind := range slices.Concat(collected(), chosen.kinds) {
		if err := r.objects(ctx, kind, "cluster"); err != nil {
			return err
		}
	}
	for _, namespace := range chosen.namespaces {
		r.progress.report("namespace %s", namespace)
		for _, kind := range local {
			if err := r.objects(ctx, kind, namespace, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
		if err := r.pods(ctx, namespace); err != nil {
			return err
		}
	}
	for i := range chosen.pods {
		if err := r.pod(ctx, &chosen.pods[i]); err != nil {
			return err
		}
	}
	return r.tar.Close()
}

// put adds a file to the archive.
func (r *bugReport) put(name string, content []byte) error {
	header := &tar.Header{Name: path.Join("osm-bug-report", name), Mode: 0o600, Size: int64(len(content)), ModTime: r.now}
	if err := r.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := r.tar.Write(content)
	return err
}

// objects adds all objects of a kind in one file. A kind that cannot be read is recorded as a gap.
func (r *bugReport) objects(ctx context.Context, kind schema.GroupVersionKind, folder string, options ...client.ListOption) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	err := r.client.List(ctx, list, options...)
	if meta.IsNoMatchError(err) && slices.Contains(optional, kind) {
		return nil
	}
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("%s of %s: %v", kind.Kind, folder, r.app.kube.Sentence(err)))
		return nil
	}
	r.kinds++
	for i := range list.Items {
		list.Items[i].SetManagedFields(nil)
	}
	text, err := yaml.Marshal(list.UnstructuredContent())
	if err != nil {
		return err
	}
	return r.put(path.Join(folder, strings.ToLower(kind.Kind)+".yaml"), text)
}

// pods adds the pods of a namespace, with their logs and sidecars.
func (r *bugReport) pods(ctx context.Context, namespace string) error {
	if err := r.objects(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), namespace, client.InNamespace(namespace)); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return nil // recorded as a gap
	}
	for i := range pods.Items {
		if err := r.inside(ctx, &pods.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// logLines is the number of lines collected from each log, and logTimeout the value of bugReport.logTimeout.
const (
	logLines   = 2000
	logTimeout = 30 * time.Second
)

func (r *bugReport) log(ctx context.Context, p *corev1.Pod, container string) error {
	options := &corev1.PodLogOptions{Container: container, TailLines: ptr.To[int64](logLines)}
	ctx, cancel := context.WithTimeout(ctx, r.logTimeout)
	defer cancel()
	stream, err := r.logs.CoreV1().Pods(p.Namespace).GetLogs(p.Name, options).Stream(ctx)
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("log of container %s of pod %s/%s: %v", container, p.Namespace, p.Name, r.app.kube.Sentence(err)))
		return nil
	}
	defer func() { _ = stream.Close() }()
	text, err := io.ReadAll(stream)
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("rest of the log of container %s of pod %s/%s: %v", container, p.Namespace, p.Name, err))
	}
	return r.put(path.Join(p.Namespace, "logs", p.Name+"."+container+".log"), text)
}
