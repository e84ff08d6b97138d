package compatibility

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// FeatureName names a part of the mesh that needs a newer Kubernetes than the mesh itself.
type FeatureName string

// The features. Each has a row in Features.
const (
	// SidecarsInPlace are sidecars that are upgraded by another image of a slot.
	SidecarsInPlace FeatureName = "upgrades of sidecars in place"
	// DestinationsOnDemand are destinations that a sidecar loads when they are called first.
	DestinationsOnDemand FeatureName = "destinations on demand"
	// SidecarZones are the region and the zone that a sidecar reports.
	SidecarZones FeatureName = "zones of sidecars"
)

// Feature is what a part of the mesh needs, and what happens without it.
type Feature struct {
	Name FeatureName
	// Setting is how a user selects it; empty if it is always used.
	Setting string
	// Kubelet and APIServer are the first versions that have what the feature needs, such as "1.32"; empty for any.
	Kubelet, APIServer string
	// Without is what happens with older ones, as the end of a sentence.
	Without string
}

// Features are those that need a newer Kubernetes than the mesh itself. A kubelet may be older than its API server.
func Features() []Feature {
	return []Feature{
		{
			Name: SidecarsInPlace, Setting: "spec.upgrade.dataPlane.restart: InPlace", Kubelet: "1.32",
			Without: "new pods get one sidecar, and workloads are restarted in waves",
		},
		{
			Name: DestinationsOnDemand, Setting: "spec.sidecar.destinations: OnDemand", APIServer: "1.33",
			Without: "sidecars load all destinations",
		},
		{Name: SidecarZones, APIServer: "1.35", Without: "sidecars report no zone"},
	}
}

// FeatureOf returns the row of a feature.
func FeatureOf(name FeatureName) Feature {
	for _, f := range Features() {
		if f.Name == name {
			return f
		}
	}
	return Feature{Name: name}
}

// LacksKubelet reports whether a kubelet of a version is too old for the feature. A version that cannot be parsed is not.
func (f Feature) LacksKubelet(kubelet string) bool { return lacks(kubelet, f.Kubelet) }

// LacksAPIServer reports whether an API server of a version is too old for the feature. A version that cannot be parsed is not.
func (f Feature) LacksAPIServer(server string) bool { return lacks(server, f.APIServer) }

// String is the feature with how it is selected.
func (f Feature) String() string {
	if f.Setting == "" {
		return string(f.Name)
	}
	return fmt.Sprintf("%s (%s)", f.Name, f.Setting)
}

// lacks compares the minor versions only: a pre-release of a version has its features.
func lacks(found, first string) bool {
	parsed, err := version.ParseGeneric(found)
	if err != nil || first == "" {
		return false
	}
	return !parsed.AtLeast(version.MustParseGeneric(first))
}
