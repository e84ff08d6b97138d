package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

// Environment variables that select versions of Kubernetes, as minor versions such as "1.36".
const (
	// KubernetesVariable is the version of the whole cluster; by default the one in kube/go.mod.
	KubernetesVariable = "OSM_LOCAL_KUBERNETES"
	// KubeletVariable is the version of the kubelet and kube-proxy alone; by default that of the cluster.
	KubeletVariable = "OSM_LOCAL_KUBELET"
)

// Versions are the minor versions of the Kubernetes programs of a cluster, such as "1.36".
type Versions struct {
	// ControlPlane is the version of the API server and the etcd that it comes with, the controller manager, the scheduler and kubectl.
	ControlPlane string
	// Node is the version of the kubelet and kube-proxy. It is at most that of the control plane.
	Node string
}

// String describes the versions for users.
func (v Versions) String() string {
	if v.Node == v.ControlPlane {
		return v.ControlPlane
	}
	return fmt.Sprintf("%s with a kubelet of %s", v.ControlPlane, v.Node)
}

// NodeBefore reports whether the kubelet and kube-proxy are older than a minor version.
func (v Versions) NodeBefore(minor string) bool {
	return semver.Compare("v"+v.Node, "v"+minor) < 0
}

// FindVersions returns the versions that the environment selects. hack is the folder of this module's sources.
func FindVersions(hack string, getenv func(string) string) (Versions, error) {
	pins, err := kubernetesPins(hack)
	if err != nil {
		return Versions{}, err
	}
	v := Versions{ControlPlane: pins[0].minor}
	if chosen := getenv(KubernetesVariable); chosen != "" {
		v.ControlPlane = chosen
	}
	v.Node = v.ControlPlane
	if chosen := getenv(KubeletVariable); chosen != "" {
		v.Node = chosen
	}
	for variable, minor := range map[string]string{KubernetesVariable: v.ControlPlane, KubeletVariable: v.Node} {
		if _, err := pinOf(pins, minor); err != nil {
			return Versions{}, fmt.Errorf("%s: %w", variable, err)
		}
	}
	if semver.Compare("v"+v.Node, "v"+v.ControlPlane) > 0 {
		return Versions{}, fmt.Errorf("the kubelet of %s is newer than the API server of %s, which Kubernetes does not support", v.Node, v.ControlPlane)
	}
	return v, nil
}

// kubernetesPin is a version of Kubernetes that can be built.
type kubernetesPin struct {
	minor, version string
	// modfile is the go.mod that pins it, relative to its module: go.mod for the default, another one below versions.
	modfile string
}

// kubernetesPins returns all versions that can be built, the default first and the others by name.
func kubernetesPins(hack string) ([]kubernetesPin, error) {
	module := filepath.Join(hack, kubernetesModule)
	others, err := filepath.Glob(filepath.Join(module, "versions", "*.mod"))
	if err != nil {
		return nil, err
	}
	var pins []kubernetesPin
	for _, file := range append([]string{filepath.Join(module, "go.mod")}, others...) {
		full, err := requiredVersion(file, "k8s.io/kubernetes")
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(module, file)
		if err != nil {
			return nil, err
		}
		pins = append(pins, kubernetesPin{minor: minorOf(full), version: full, modfile: relative})
	}
	return pins, nil
}

// minorOf returns the minor version, such as "1.36", of a version such as "v1.36.3".
func minorOf(full string) string {
	return strings.TrimPrefix(semver.MajorMinor(full), "v")
}

// pinOf returns the pin of a minor version.
func pinOf(pins []kubernetesPin, minor string) (kubernetesPin, error) {
	var known []string
	for _, pin := range pins {
		if pin.minor == minor {
			return pin, nil
		}
		known = append(known, pin.minor)
	}
	slices.Sort(known)
	return kubernetesPin{}, fmt.Errorf("%q is no version of Kubernetes that can be built here: they are %s", minor, strings.Join(known, ", "))
}

// kubernetesModule is the module of the multi-call binary, below the sources of this module.
const kubernetesModule = "kube"

// kubernetesNames are the links to the multi-call binary. With kubectl, kube-apiserver and etcd the folder can be
// envtest's KUBEBUILDER_ASSETS.
var kubernetesNames = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
}

// Kubernetes returns the artifact with the multi-call binary of a minor version and its links.
func Kubernetes(hack, minor string) (build.Artifact, error) {
	module := filepath.Join(hack, kubernetesModule)
	pins, err := kubernetesPins(hack)
	if err != nil {
		return build.Artifact{}, err
	}
	pin, err := pinOf(pins, minor)
	if err != nil {
		return build.Artifact{}, err
	}
	args := slices.Clone(goBuild)
	args[len(args)-1] += versionFlags(pin.version)
	args = append(args, "-modfile", pin.modfile)
	return build.Artifact{
		Name:    "kubernetes",
		Inputs:  append(append([]string{pin.version}, args...), kubernetesNames...),
		Sources: pin.sources(module),
		Make: func(ctx context.Context, dir string) error {
			if err := runGoBuild(ctx, module, args, filepath.Join(dir, "kube"), "."); err != nil {
				return err
			}
			for _, name := range kubernetesNames {
				if err := os.Symlink("kube", filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// sources are the files of the module that determine the binary of this version. Another version can be added without a build of this one.
func (p kubernetesPin) sources(module string) []string {
	modfile := filepath.Join(module, p.modfile)
	return []string{filepath.Join(module, "main.go"), modfile, strings.TrimSuffix(modfile, ".mod") + ".sum"}
}

// versionFlags set the version that the programs report. The kubelet and kubectl reject v0.0.0.
func versionFlags(version string) string {
	const target = " -X k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return target + "gitVersion=" + version + target + "gitMajor=" + parts[0] + target + "gitMinor=" + parts[1]
}

// requiredVersion returns the version of a module from a go.mod file.
func requiredVersion(file, module string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` (v\d+\.\d+\.\S+)`).FindSubmatch(content)
	if found == nil {
		return "", fmt.Errorf("%s does not require %s", file, module)
	}
	return string(found[1]), nil
}
