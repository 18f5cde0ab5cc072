package live

const childEnv = "X"

func child() {}
