// Package rotation decides how a mesh moves from one certificate authority to another without a failed call.
//
// In flow the desired authority, the active one, and what control planes, sidecars and other meshes have confirmed. Out flows the next active
// authority, or what the rotation waits for. The decision depends on nothing else, so a rotation resumes from what is observed:
//
//  1. Distribute: trust both roots. The old one still issues.
//  2. Prove that every replica, sidecar and namespace trusts both, and every peer the new one.
//  3. Switch: the new root issues.
//  4. Prove that nothing needs the old one any more.
//  5. Withdraw the old one.
//
// A change of the trust domain takes the same steps. Its withdrawal has two: first clients accept only the new trust domain of servers, then
// servers only that of clients.
//
// A return to the old root during a rotation is a rotation as well, from any step.
package rotation
