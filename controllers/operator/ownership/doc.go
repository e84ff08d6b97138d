// Package ownership removes the owner references that earlier versions of the operator wrote.
//
// Input: Meshes, when the operator starts and when they are deleted. Output: patched metadata of the objects of a mesh.
//
// No object of a mesh has the Mesh or a MeshRevision as its owner. Foreground deletion of an owner deletes all that it owns at once: certificate
// authority, control plane and trust would be gone while sidecars need them. The finalizers delete the objects in order instead.
package ownership
