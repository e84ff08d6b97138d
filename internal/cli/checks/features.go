package checks

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
)

// features reports which parts of a mesh the cluster is too old for. They are no reason not to install one.
func (s Subject) features(ctx context.Context) []diagnosis.Finding {
	server, err := s.Kubernetes()
	if err != nil {
		return nil // kubernetes reports it
	}
	var results []diagnosis.Finding
	for _, feature := range []compatibility.Feature{
		compatibility.FeatureOf(compatibility.DestinationsOnDemand), compatibility.FeatureOf(compatibility.SidecarZones),
	} {
		if feature.LacksAPIServer(server.GitVersion) {
			results = append(results, diagnosis.Warn("upgrade the cluster if you need it", "%s: Kubernetes %s or later is required, and this is %s. With an older one, %s",
				feature, feature.APIServer, server.GitVersion, feature.Without))
		}
	}
	return append(results, s.kubelets(ctx)...)
}

// kubelets reports nodes whose kubelets are too old for upgrades of sidecars in place; nothing without any.
func (s Subject) kubelets(ctx context.Context) []diagnosis.Finding {
	feature := compatibility.FeatureOf(compatibility.SidecarsInPlace)
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return []diagnosis.Finding{diagnosis.Unread("nodes", err)}
	}
	var old []string
	for i := range nodes.Items {
		info := nodes.Items[i].Status.NodeInfo
		if feature.LacksKubelet(info.KubeletVersion) && info.OperatingSystem != string(corev1.Windows) {
			old = append(old, fmt.Sprintf("%s (%s)", nodes.Items[i].Name, info.KubeletVersion))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Warn("upgrade these nodes if you need it", "%s: kubelets of version %s or later are required, and these nodes have older ones: %s. Until then, %s",
		feature, feature.Kubelet, firstThree(old), feature.Without)}
}

// upgradesInPlace reports whether a Mesh asks for upgrades of sidecars in place.
func upgradesInPlace(m *v1alpha1.Mesh) bool {
	plane := ptr.Deref(ptr.Deref(m.Spec.Upgrade, v1alpha1.UpgradeSpec{}).DataPlane, v1alpha1.DataPlaneSpec{})
	return ptr.Deref(plane.Restart, v1alpha1.RestartRolling) == v1alpha1.RestartInPlace
}
