// Package platforms has manifests that platforms need besides those of the installation: a quota for GKE, constraints for OpenShift.
//
// Nothing flows in. Manifests flow out, which administrators apply; docs/platforms.md says when.
package platforms
