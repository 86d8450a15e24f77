Blinalg_vector_normJÒJ@–Bæ?çXý?]¾@¿ƒ
@?°‡?