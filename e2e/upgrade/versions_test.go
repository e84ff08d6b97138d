package upgrade

import (
	"context"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// furtherVersions is the name of the ConfigMap and the volume with the manifests of faulty versions.
	furtherVersions = "further-versions"
	// furtherVersionsPath is the mount path of the volume in the operator.
	furtherVersionsPath = "/etc/osm/further-versions"
)

// faulty returns the version with a fault, which follows this one. Its controller is built with the tag faulty_<fault>, which changes nothing if no file has
// it; everything else is the same as in this version, unless the version has another sidecar.
func faulty(fault string) string {
	present := version.MustParseSemantic(cluster.Version)
	return "v" + present.WithPatch(present.Patch()+1).WithPreRelease(fault).String()
}

// addFaultyVersions builds versions with faults, and makes the operator support them until the test ends.
func addFaultyVersions(t *testing.T, faults ...string) {
	t.Helper()
	sidecars := map[string]string{}
	for _, fault := range faults {
		sidecars[fault] = currentEnvoy(t)
	}
	addVersions(t, sidecars)
}

// addVersions builds versions with sidecars, by fault, and makes the operator support them until the test ends.
func addVersions(t *testing.T, sidecars map[string]string) {
	t.Helper()
	manifests := &corev1.ConfigMap{ObjectMeta: objectNamed(names.OperatorNamespace, furtherVersions), Data: map[string]string{}}
	volume := corev1.Volume{Name: furtherVersions}
	volume.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: furtherVersions}}
	for _, fault := range slices.Sorted(maps.Keys(sidecars)) {
		version := faulty(fault)
		for name, text := range manifestsOf(t, fault, sidecars[fault]) {
			key := version + "_" + name
			manifests.Data[key] = string(text)
			volume.ConfigMap.Items = append(volume.ConfigMap.Items, corev1.KeyToPath{Key: key, Path: path.Join(version, name)})
		}
	}
	lab.Must(t, client.IgnoreNotFound(cluster.Client.Delete(t.Context(), manifests.DeepCopy())))
	lab.Must(t, cluster.Create(t.Context(), manifests))
	operator := readOperator(t.Context(), t)
	live := operator.DeepCopy()
	removeFurtherVersions(&operator.Spec.Template.Spec)
	before := operator.DeepCopy()
	t.Cleanup(func() { removeFaultyVersions(t, before, manifests) })
	template := &operator.Spec.Template.Spec
	template.Volumes = append(template.Volumes, volume)
	template.Containers[0].Args = append(template.Containers[0].Args, "--further-versions="+furtherVersionsPath)
	template.Containers[0].VolumeMounts = append(template.Containers[0].VolumeMounts, corev1.VolumeMount{Name: furtherVersions, MountPath: furtherVersionsPath, ReadOnly: true})
	lab.Must(t, cluster.Client.Patch(t.Context(), operator, client.MergeFrom(live)))
	lab.Must(t, cluster.Available(t.Context(), installLimit, names.OperatorNamespace))
}

// removeFurtherVersions removes what a killed test has left.
func removeFurtherVersions(pod *corev1.PodSpec) {
	container := &pod.Containers[0]
	pod.Volumes = slices.DeleteFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == furtherVersions })
	container.VolumeMounts = slices.DeleteFunc(container.VolumeMounts, func(v corev1.VolumeMount) bool { return v.Name == furtherVersions })
	container.Args = slices.DeleteFunc(container.Args, func(a string) bool { return strings.HasPrefix(a, "--further-versions") })
}

// removeFaultyVersions restores the operator's Deployment.
func removeFaultyVersions(t *testing.T, before *appsv1.Deployment, manifests *corev1.ConfigMap) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	operator := readOperator(ctx, t)
	changed := operator.DeepCopy()
	operator.Spec = before.Spec
	lab.Must(t, cluster.Client.Patch(ctx, operator, client.MergeFrom(changed)))
	lab.Must(t, cluster.Client.Delete(ctx, manifests))
	lab.Must(t, cluster.Available(ctx, 2*time.Minute, names.OperatorNamespace))
}

func readOperator(ctx context.Context, t *testing.T) *appsv1.Deployment {
	t.Helper()
	operator := &appsv1.Deployment{}
	lab.Must(t, cluster.Client.Get(ctx, client.ObjectKey{Namespace: names.OperatorNamespace, Name: "osm-operator"}, operator))
	return operator
}

// manifestsOf builds the controller of a faulty version, and renders its manifests like a release.
func manifestsOf(t *testing.T, fault, sidecar string) map[string][]byte {
	t.Helper()
	folder := cluster.Repository.Path("bin", "faulty", fault)
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./images", "-o", folder, "-version", faulty(fault), "-tags", "faulty_"+fault, names.Controller))
	if !lab.IsCurrent() {
		// With CLUSTER=current the images must already be in a registry.
		lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "load", path.Join(folder, names.Controller+".tar")))
	}
	built := pinnedReferences(t, cluster.Repository.Path("bin", "images", "images.lock"))
	files, err := operand.Freeze(operand.Images{
		Controller: pinnedReferences(t, path.Join(folder, "images.lock"))[names.Controller],
		Injector:   built[names.Injector], Init: built["init"], Sidecar: sidecar,
	}, strings.Repeat("0", 40))
	lab.Must(t, err)
	return files
}

// pinnedReferences returns the references with digests from a list of built images.
func pinnedReferences(t *testing.T, list string) map[string]string {
	t.Helper()
	references, err := lab.PinnedReferences(list)
	lab.Must(t, err)
	return references
}
