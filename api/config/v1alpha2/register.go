package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: "config.openservicemesh.io", Version: "v1alpha2"}

// AddToScheme registers the kinds of this package in a scheme. It always returns nil. The signature is that of runtime.SchemeBuilder
// functions.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &MeshConfig{}, &MeshConfigList{}, &MeshRootCertificate{}, &MeshRootCertificateList{},
		&ExtensionService{}, &ExtensionServiceList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
