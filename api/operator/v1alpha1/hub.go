package v1alpha1

// Conversion between served versions follows the hub-and-spoke pattern of controller-runtime: v1alpha1 is the hub, and every other
// version converts to and from it. Adding v1beta1:
//  1. Add api/operator/v1beta1 with the types, and ConvertTo and ConvertFrom(conversion.Hub) on Mesh and MeshRevision. Keep what
//     v1beta1 cannot express in an annotation, so that a round trip loses nothing; conversion_test.go shows the pattern.
//  2. Set spec.conversion.strategy to Webhook in the definitions, and serve the webhook in cmd/operator. It must answer before
//     objects are read in the new version.
//  3. Serve v1beta1 and keep v1alpha1 as storage for one release. Then move the storage version and the Hub methods to v1beta1, and
//     rewrite stored objects before status.storedVersions drops v1alpha1.

// Hub marks Mesh as the version that other versions convert to and from.
func (*Mesh) Hub() {}

// Hub marks MeshRevision as the version that other versions convert to and from.
func (*MeshRevision) Hub() {}
