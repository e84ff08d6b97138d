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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// collected are the kinds that a report holds, as they are. No Secrets, and no ConfigMaps of applications.
var collected = []schema.GroupVersionKind{
	{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "Mesh"},
	{Group: "operator.openservicemesh.io", Version: "v1alpha1", Kind: "MeshRevision"},
	{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"},
	{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"},
	{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"},
	{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "TCPRoute"},
	{Group: "split.smi-spec.io", Version: "v1alpha4", Kind: "TrafficSplit"},
	{Version: "v1", Kind: "Namespace"},
	{Version: "v1", Kind: "Node"},
}

// local are the kinds that a report holds of single namespaces.
var local = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Version: "v1", Kind: "Service"},
	{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"},
	{Version: "v1", Kind: "Event"},
}

// bugReport is a report in the making.
type bugReport struct {
	app    *app
	client client.Client
	logs   kubernetes.Interface
	tar    *tar.Writer
	now    time.Time
	// gaps are what could not be collected.
	gaps []string
}

func (a *app) bugReportCommand() *cobra.Command {
	var meshName, file string
	var all bool
	var applications []string
	cmd := &cobra.Command{
		Use:   "bug-report",
		Short: "Collect what others need to find out what is wrong",
		Long: `Collects versions, checks, policies, and the state and logs of the control plane in one archive (tar.gz), and with --all or
--app-namespaces those of applications' pods and sidecars too. Secrets are never part of it; environment variables and logs are, so
look through it before you hand it on.`,
		Example: `  osm support bug-report
  osm support bug-report --app-namespaces shop,till -o report.tar.gz`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.bugReport(ctx, meshName, file, all, applications)
		}),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &meshName, "")
	f.BoolVar(&all, "all", false, "include all namespaces of the mesh")
	f.StringSliceVar(&applications, "app-namespaces", nil, "include these namespaces, separated by commas")
	f.StringVarP(&file, "out-file", "o", "", "file to write (default: osm-bug-report-<time>.tar.gz)")
	return cmd
}

func (a *app) bugReport(ctx context.Context, meshName, file string, all bool, applications []string) error {
	subject, err := a.subject(ctx, meshName)
	if err != nil {
		return err
	}
	config, err := a.kube.Config()
	if err != nil {
		return err
	}
	logs, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	namespaces := append([]string{names.OperatorNamespace, subject.Namespace}, applications...)
	if all {
		meshes, err := a.meshes(ctx, subject.Client)
		if err != nil {
			return err
		}
		for _, m := range meshes {
			if m.Name == subject.Mesh {
				namespaces = append(namespaces, m.Members...)
			}
		}
	}
	if file == "" {
		file = "osm-bug-report-" + a.now().UTC().Format("20060102-150405") + ".tar.gz"
	}
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	r := &bugReport{app: a, client: subject.Client, logs: logs, tar: tar.NewWriter(zipped), now: a.now()}
	if err := r.collect(ctx, subject, namespaces); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(file, content.Bytes(), 0o600); err != nil {
		return fmt.Errorf("the report cannot be written: %w", err)
	}
	for _, gap := range r.gaps {
		a.note("Not in the report: %s", gap)
	}
	a.line("%s", file)
	return nil
}

func (r *bugReport) collect(ctx context.Context, subject checks.Subject, namespaces []string) error {
	var text bytes.Buffer
	checks.Print(&text, slices.Concat(subject.ControlPlane(ctx), subject.DataPlane(ctx), subject.Policies(ctx)))
	if err := r.put("check.txt", text.Bytes()); err != nil {
		return err
	}
	for _, kind := range collected {
		if err := r.objects(ctx, kind, "cluster"); err != nil {
			return err
		}
	}
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		for _, kind := range local {
			if err := r.objects(ctx, kind, namespace, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
		if err := r.pods(ctx, namespace); err != nil {
			return err
		}
	}
	return r.tar.Close()
}

// put adds a file.
func (r *bugReport) put(name string, content []byte) error {
	header := &tar.Header{Name: path.Join("osm-bug-report", name), Mode: 0o600, Size: int64(len(content)), ModTime: r.now}
	if err := r.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := r.tar.Write(content)
	return err
}

// objects adds all objects of a kind in one file; what cannot be read is a gap and no error.
func (r *bugReport) objects(ctx context.Context, kind schema.GroupVersionKind, folder string, options ...client.ListOption) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := r.client.List(ctx, list, options...); err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("%s of %s: %v", kind.Kind, folder, r.app.kube.Sentence(err)))
		return nil
	}
	for i := range list.Items {
		list.Items[i].SetManagedFields(nil)
	}
	text, err := yaml.Marshal(list.UnstructuredContent())
	if err != nil {
		return err
	}
	return r.put(path.Join(folder, strings.ToLower(kind.Kind)+".yaml"), text)
}

// pods adds the pods of a namespace and the logs of all their containers.
func (r *bugReport) pods(ctx context.Context, namespace string) error {
	if err := r.objects(ctx, corev1.SchemeGroupVersion.WithKind("Pod"), namespace, client.InNamespace(namespace)); err != nil {
		return err
	}
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return nil // a gap that has been noted
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		for _, container := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			if err := r.log(ctx, p, container.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// logLines is how much of each log is interesting.
const logLines = 2000

func (r *bugReport) log(ctx context.Context, p *corev1.Pod, container string) error {
	options := &corev1.PodLogOptions{Container: container, TailLines: ptr.To[int64](logLines)}
	stream, err := r.logs.CoreV1().Pods(p.Namespace).GetLogs(p.Name, options).Stream(ctx)
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("the log of %s in pod %s/%s: %v", container, p.Namespace, p.Name, r.app.kube.Sentence(err)))
		return nil
	}
	defer func() { _ = stream.Close() }()
	text, err := io.ReadAll(stream)
	if err != nil {
		r.gaps = append(r.gaps, fmt.Sprintf("the end of the log of %s in pod %s/%s: %v", container, p.Namespace, p.Name, err))
	}
	return r.put(path.Join(p.Namespace, "logs", p.Name+"."+container+".log"), text)
}
