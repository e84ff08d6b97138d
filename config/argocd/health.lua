-- Health of a Mesh or MeshRevision. Its conditions follow kstatus: Reconciling and Stalled exist only while they are True, and Ready is
-- Unknown while the operator works and False only after a failure.
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function health(status, condition)
  local message = condition.message
  if message == nil or message == "" then
    message = condition.reason
  end
  return {status = status, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  if conditions.Removed ~= nil then
    if conditions.Removed.status == "False" then
      return health("Degraded", conditions.Removed)
    end
    return health("Progressing", conditions.Removed)
  end
  return {status = "Progressing", message = "is being deleted"}
end
if obj.status == nil or obj.status.observedGeneration == nil or obj.status.observedGeneration < obj.metadata.generation then
  return {status = "Progressing", message = "waits for the operator to read this generation"}
end
if conditions.Stalled ~= nil then
  return health("Degraded", conditions.Stalled)
end
if conditions.Ready ~= nil and conditions.Ready.status == "False" then
  return health("Degraded", conditions.Ready)
end
-- A version that was rolled back works, but it is not the one in Git.
local upgrading = conditions.Upgrading
local failed = {RolledBack = true, UpgradeHalted = true, CanaryBlocked = true}
if upgrading ~= nil and upgrading.status == "False" and failed[upgrading.reason] then
  return health("Degraded", upgrading)
end
if conditions.Paused ~= nil and conditions.Paused.status == "True" then
  return health("Suspended", conditions.Paused)
end
-- Sidecars are upgraded in waves, for hours or days. The mesh serves meanwhile, and a sync that waited for them would keep the next commit waiting, also one
-- that pauses the upgrade.
local function holds(condition)
  return condition ~= nil and condition.status == "True" and condition.observedGeneration == obj.metadata.generation
end
if holds(upgrading) and holds(conditions.ControlPlaneReady) then
  return health("Healthy", upgrading)
end
if conditions.Reconciling ~= nil then
  return health("Progressing", conditions.Reconciling)
end
if conditions.Ready == nil then
  return {status = "Progressing", message = "waits for the condition Ready"}
end
if conditions.Ready.status == "True" then
  return health("Healthy", conditions.Ready)
end
if conditions.Planned ~= nil then
  return health("Suspended", conditions.Planned)
end
return health("Progressing", conditions.Ready)
