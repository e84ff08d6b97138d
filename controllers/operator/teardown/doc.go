// Package teardown removes a mesh when its Mesh is deleted.
//
// In flow a Mesh that is being deleted, and the sidecars that are left; out flow restarts that take sidecars out, deletions in order,
// status.removal, the condition Removed, and the end of the finalizer. A Mesh that is paused or planned is not removed.
package teardown
