package chembus

// StateName is the name of the state file in a directory for state.
const StateName = stateName
