package manifests

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Decode reads YAML documents or JSON. It flattens lists, and rejects documents without a kind.
func Decode(text []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var all []*unstructured.Unstructured
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, explainDecoding(err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetKind() == "" || u.GetAPIVersion() == "" {
			return nil, errors.New("a document has no apiVersion or no kind")
		}
		if !u.IsList() {
			all = append(all, u)
			continue
		}
		err = u.EachListItem(func(item runtime.Object) error {
			if one, ok := item.(*unstructured.Unstructured); ok {
				all = append(all, one)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}

// explainDecoding removes Go types and conversions from an error.
func explainDecoding(err error) error {
	if strings.Contains(err.Error(), "cannot unmarshal") {
		return errors.New("a document is not an object with apiVersion and kind")
	}
	if problem, found := strings.CutPrefix(err.Error(), "error converting YAML to JSON: "); found {
		return errors.New(problem)
	}
	return err
}

// Files returns the YAML and JSON files of the paths, sorted. Directories are searched recursively.
func Files(paths ...string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			extension := filepath.Ext(file)
			if !entry.IsDir() && (file == path || slices.Contains([]string{".yaml", ".yml", ".json"}, extension)) {
				files = append(files, file)
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s not found: check the path of the file or directory", path)
		}
		if err != nil {
			return nil, err
		}
	}
	return lists.Unique(files), nil
}

// Read reads all objects of files. It skips kustomization files.
func Read(files []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		if name := filepath.Base(file); name == "kustomization.yaml" || name == "kustomization.yml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := Decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s is not a Kubernetes manifest: %w: correct the file, or leave it out", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// WorkloadKinds maps lower-case names to the kinds that create pods.
var WorkloadKinds = map[string]schema.GroupVersionKind{
	"deployment":  {Group: "apps", Version: "v1", Kind: "Deployment"},
	"statefulset": {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonset":   {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"replicaset":  {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"job":         {Group: "batch", Version: "v1", Kind: "Job"},
	"cronjob":     {Group: "batch", Version: "v1", Kind: "CronJob"},
}

// template returns the pod template of a workload, or nil for other kinds.
func template(workload *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template"}
	if workload.GetKind() == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	found, _, _ := unstructured.NestedMap(workload.Object, path...)
	return found
}

// AccountOf returns the service account name of a workload's pods.
func AccountOf(workload *unstructured.Unstructured) string {
	account, _, _ := unstructured.NestedString(template(workload), "spec", "serviceAccountName")
	return cmp.Or(account, "default")
}

// Workload identifies the owner of a pod.
type Workload struct{ Kind, Namespace, Name string }

// String returns "<kind> <namespace>/<name>" with the kind in lower case.
func (w Workload) String() string { return strings.ToLower(w.Kind) + " " + w.Namespace + "/" + w.Name }

// Restart returns what restarts the pods of a workload: a command, or a sentence for kinds that have none.
func (w Workload) Restart() string {
	switch kind := strings.ToLower(w.Kind); kind {
	case "deployment", "statefulset", "daemonset":
		return fmt.Sprintf("kubectl -n %s rollout restart %s/%s", w.Namespace, kind, w.Name)
	case "pod":
		return "delete it and create it again"
	}
	return "delete its pods, so that it creates them again"
}

// OwnerOf returns the workload of a pod: its controller, or the Deployment of its ReplicaSet. A pod without a controller owns itself.
func OwnerOf(pod *unstructured.Unstructured) Workload {
	owner := workload.Of(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.GetName(), Labels: pod.GetLabels(), OwnerReferences: pod.GetOwnerReferences()}})
	return Workload{owner.Kind, pod.GetNamespace(), owner.Name}
}
