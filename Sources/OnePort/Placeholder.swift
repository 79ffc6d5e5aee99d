// OnePort
